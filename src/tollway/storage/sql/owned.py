"""What one owner brings along, as the gateway reads it: enabled rows only, secrets sealed."""

from collections.abc import Mapping
from typing import Any, Final

from sqlalchemy import Connection, Select, Table, bindparam, select

from tollway.identity.owned import Owned, Owner, OwnerKind, StoredKey, StoredUpstream
from tollway.identity.upstream_models import read_models
from tollway.storage.sql.own_tables import byok_keys, custom_upstreams

_KEYS: Final = select(byok_keys.c.id, byok_keys.c.provider_id, byok_keys.c.sealed_key).order_by(
    byok_keys.c.created_at, byok_keys.c.id
)
_UPSTREAMS: Final = select(
    custom_upstreams.c.id,
    custom_upstreams.c.provider_id,
    custom_upstreams.c.base_url,
    custom_upstreams.c.sealed_key,
    custom_upstreams.c.sealed_headers,
    custom_upstreams.c.model_metadata,
)


def _of(statement: Select[Any], table: Table, column: str) -> Select[Any]:
    return statement.where(table.c[column] == bindparam("owner_id"), table.c.is_enabled)


_BY_OWNER: Final[Mapping[OwnerKind, tuple[Select[Any], Select[Any]]]] = {
    kind: (_of(_KEYS, byok_keys, column), _of(_UPSTREAMS, custom_upstreams, column))
    for kind, column in ((OwnerKind.USER, "user_id"), (OwnerKind.ORGANIZATION, "organization_id"))
}


def read_owned(connection: Connection, owner: Owner) -> Owned:
    """Everything that is enabled."""
    keys, upstreams = _BY_OWNER[owner.kind]
    values = {"owner_id": owner.id}
    return Owned(
        tuple(StoredKey(row.id, owner, row.provider_id, row.sealed_key) for row in connection.execute(keys, values)),
        {
            row.provider_id: StoredUpstream(
                row.id,
                owner,
                row.provider_id,
                row.base_url,
                row.sealed_key,
                row.sealed_headers,
                {model.id.lower(): model.id for model in read_models(row.model_metadata)},
            )
            for row in connection.execute(upstreams, values)
        },
    )
