"""Enabled custom upstreams for catalogs: neither addresses nor sealed columns are read (request-path 12.8.4)."""

from typing import Final

from sqlalchemy import bindparam, or_, select

from tollway.identity.offered import OfferedUpstream
from tollway.identity.owned import Owner, OwnerKind
from tollway.identity.upstream_models import read_models
from tollway.storage.sql.database import Database
from tollway.storage.sql.own_tables import custom_upstreams
from tollway.storage.sql.tables import memberships, organizations

_ROWS: Final = custom_upstreams.c
_ENABLED: Final = (
    select(_ROWS.provider_id, _ROWS.display_name, _ROWS.model_metadata, _ROWS.organization_id, _ROWS.user_id)
    .outerjoin_from(custom_upstreams, organizations, organizations.c.id == _ROWS.organization_id)
    .where(_ROWS.is_enabled, organizations.c.deleted_at.is_(None))
    .order_by(_ROWS.user_id.is_(None), organizations.c.name, organizations.c.id, _ROWS.provider_id)
)
OF_ORGANIZATION: Final = _ENABLED.where(_ROWS.organization_id == bindparam("organization_id"))
OF_USER: Final = _ENABLED.where(
    or_(
        _ROWS.user_id == bindparam("user_id"),
        _ROWS.organization_id.in_(
            select(memberships.c.organization_id).where(memberships.c.user_id == bindparam("user_id"))
        ),
    )
)


class SqlOffered:
    """Implements OfferedStore."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def offered(self, user_id: str, organization_id: str | None) -> tuple[OfferedUpstream, ...]:
        statement = OF_ORGANIZATION if organization_id else OF_USER
        values = {"organization_id": organization_id} if organization_id else {"user_id": user_id}
        rows = await self._database.read(lambda connection: connection.execute(statement, values).all())
        return tuple(
            OfferedUpstream(
                Owner(OwnerKind.ORGANIZATION, row.organization_id)
                if row.organization_id
                else Owner(OwnerKind.USER, row.user_id),
                row.provider_id,
                row.display_name,
                read_models(row.model_metadata),
            )
            for row in rows
        )
