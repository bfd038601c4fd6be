"""What one owner brings along, as the gateway reads it: enabled rows only, secrets sealed."""

from collections.abc import Mapping
from typing import Any, Final

from sqlalchemy import Connection, Select, Table, bindparam, select

from tollway.identity.owned import Owned, Owner, OwnerKind, StoredKey, StoredLlm, StoredUpstream
from tollway.identity.upstream_models import read_models
from tollway.storage.sql.llm_tables import custom_llm_organizations, custom_llms
from tollway.storage.sql.own_tables import byok_keys, custom_upstreams
from tollway.wire.dialects.parameters import ModelOptions

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
_LLMS: Final = (
    select(
        custom_llms.c.vendor,
        custom_llms.c.base_url,
        custom_llms.c.sealed_key,
        custom_llms.c.is_guarded,
        custom_llms.c.public_id,
        custom_llms.c.internal_id,
        custom_llms.c.completion_tokens_max,
        custom_llms.c.context_length,
        custom_llms.c.verbosity,
        custom_llms.c.reasoning_effort,
        custom_llms.c.included_tools,
        custom_llms.c.excluded_tools,
        custom_llms.c.supports_image_input,
        custom_llms.c.force_reasoning,
    )
    .join(custom_llm_organizations, custom_llm_organizations.c.public_id == custom_llms.c.public_id)
    .where(custom_llm_organizations.c.organization_id == bindparam("owner_id"))
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
        _llms(connection, owner.id) if owner.kind is OwnerKind.ORGANIZATION else {},
    )


def _llms(connection: Connection, organization_id: str) -> dict[str, StoredLlm]:
    """That the organization was given. Who acts for it is a member, so the membership needs no look of its own."""
    found = {}
    for vendor, base_url, sealed_key, is_guarded, *options in connection.execute(_LLMS, {"owner_id": organization_id}):
        llm = StoredLlm(vendor, base_url, sealed_key, ModelOptions(*options), is_guarded)
        found[llm.options.public_id] = llm
    return found
