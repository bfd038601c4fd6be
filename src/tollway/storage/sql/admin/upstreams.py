"""Rows of custom_upstreams. The owner is part of every statement: rows of others are not found, nor touched."""

from collections.abc import Sequence
from typing import Any, Final

from sqlalchemy import Connection, Select, and_, bindparam, delete, func, or_, select, update

from tollway.admin.records import AuditEntry
from tollway.admin.upstream_records import Addition, CustomUpstream, Decide, SealedUpstream
from tollway.admin.upstreams import TAKEN
from tollway.errors import Code, Problem
from tollway.identity.owned import Owner, OwnerKind
from tollway.storage.sql.admin.audit import write_audit
from tollway.storage.sql.admin.rows import SqlSubject
from tollway.storage.sql.identity_changes import note_change
from tollway.storage.sql.insertion import insert_missing
from tollway.storage.sql.own_tables import custom_upstreams
from tollway.storage.sql.tables import organizations, users

_ROWS: Final = custom_upstreams.c
_SHOWN: Final = (
    _ROWS.id,
    _ROWS.provider_id,
    _ROWS.display_name,
    _ROWS.base_url,
    _ROWS.model_metadata,
    _ROWS.is_enabled,
    _ROWS.sealed_key.is_not(None),
    _ROWS.last_four,
    _ROWS.header_names,
    _ROWS.created_at,
    _ROWS.updated_at,
    _ROWS.created_by,
)
_THEIRS: Final = or_(_ROWS.user_id == bindparam("of_user"), _ROWS.organization_id == bindparam("of_organization"))
_BY_ID: Final = and_(_THEIRS, _ROWS.id == bindparam("row_id"))
_LIST: Final = select(*_SHOWN).where(_THEIRS).order_by(_ROWS.created_at.desc(), _ROWS.id.desc())
_WHOLE: Final = select(*_SHOWN, _ROWS.sealed_key, _ROWS.sealed_headers)
_FIND: Final = (
    _WHOLE.where(_THEIRS, or_(_ROWS.id == bindparam("named"), _ROWS.provider_id == func.lower(bindparam("named"))))
    .order_by((_ROWS.id == bindparam("named")).desc())
    .limit(1)
)
_LOCKED: Final = _WHOLE.where(_BY_ID).with_for_update(of=custom_upstreams)
_IS_THERE: Final = select(_ROWS.id).where(_BY_ID)
_COUNT: Final = select(func.count()).select_from(custom_upstreams).where(_THEIRS)
_NAMESAKE: Final = select(_ROWS.id).where(
    _THEIRS, _ROWS.provider_id == bindparam("named"), _ROWS.id != bindparam("row_id")
)
_CHANGE: Final = update(custom_upstreams).where(_BY_ID)
_REMOVE: Final = delete(custom_upstreams).where(_BY_ID)
_OWNERS: Final[dict[OwnerKind, Select[Any]]] = {
    OwnerKind.USER: select(users.c.id).where(users.c.id == bindparam("owner_id")).with_for_update(),
    OwnerKind.ORGANIZATION: select(organizations.c.id)
    .where(organizations.c.id == bindparam("owner_id"))
    .with_for_update(),
}


class SqlUpstreams(SqlSubject):
    """Implements UpstreamStore."""

    async def list_upstreams(self, owner: Owner) -> tuple[CustomUpstream, ...]:
        def work(connection: Connection) -> tuple[CustomUpstream, ...]:
            return tuple(_shown(owner, row) for row in connection.execute(_LIST, _who(owner)))

        return await self._database.read(work)

    async def find_upstream(self, owner: Owner, named: str) -> SealedUpstream | None:
        def work(connection: Connection) -> SealedUpstream | None:
            row = connection.execute(_FIND, {**_who(owner), "named": named}).first()
            return None if row is None else _whole(owner, row)

        return await self._database.read(work)

    async def add_upstream(self, row: SealedUpstream, most: int, audit: AuditEntry | None) -> Addition:
        new, who = row.upstream, _who(row.upstream.owner)
        owner = {"user_id": who["of_user"], "organization_id": who["of_organization"]}
        values = {**_values(row), **owner, "id": new.id, "created_at": new.created_at, "created_by": new.created_by}

        def work(connection: Connection) -> Addition:
            _lock(connection, new.owner)  # two at once must not be one too many
            if connection.execute(_IS_THERE, {**who, "row_id": new.id}).first():
                return Addition.DONE  # an earlier try of ours
            if connection.execute(_NAMESAKE, {**who, "named": new.provider_id, "row_id": new.id}).first():
                return Addition.TAKEN
            if connection.execute(_COUNT, who).scalar_one() >= most:
                return Addition.FULL
            insert_missing(connection, custom_upstreams, values)
            write_audit(connection, audit)
            note_change(connection, new.owner.id)
            return Addition.DONE

        return await self._database.write(work)

    async def change_upstream(self, owner: Owner, upstream_id: str, decide: Decide) -> CustomUpstream | Problem | None:
        who = {**_who(owner), "row_id": upstream_id}

        def work(connection: Connection) -> CustomUpstream | Problem | None:
            _lock(connection, owner)
            found = connection.execute(_LOCKED, who).first()
            if found is None:
                return None
            decided = decide(_whole(owner, found))
            if isinstance(decided, Problem):
                return decided
            after, audit = decided
            if connection.execute(_NAMESAKE, {**who, "named": after.upstream.provider_id}).first():
                return Problem(Code.CONFLICT, TAKEN, shown=TAKEN)
            connection.execute(_CHANGE.values(_values(after)), who)
            write_audit(connection, audit)
            note_change(connection, owner.id)
            return after.upstream

        return await self._database.write(work)

    async def remove_upstream(self, owner: Owner, upstream_id: str, audit: AuditEntry | None) -> bool:
        who = {**_who(owner), "row_id": upstream_id}

        def work(connection: Connection) -> bool:
            if connection.execute(_REMOVE, who).rowcount != 1:
                return False
            write_audit(connection, audit)
            note_change(connection, owner.id)
            return True

        return await self._database.write(work)


def _who(owner: Owner) -> dict[str, str | None]:
    """The two owner columns. NULL equals nothing, so the other kind never matches."""
    is_user = owner.kind is OwnerKind.USER
    return {"of_user": owner.id if is_user else None, "of_organization": None if is_user else owner.id}


def _lock(connection: Connection, owner: Owner) -> None:
    connection.execute(_OWNERS[owner.kind], {"owner_id": owner.id})


def _values(row: SealedUpstream) -> dict[str, Any]:
    """Columns that a change may alter."""
    one = row.upstream
    return {
        "provider_id": one.provider_id,
        "display_name": one.display_name,
        "base_url": one.base_url,
        "sealed_key": row.sealed_key,
        "last_four": one.last_four,
        "sealed_headers": row.sealed_headers,
        "header_names": one.header_names,
        "model_metadata": one.model_metadata,
        "is_enabled": one.is_enabled,
        "updated_at": one.updated_at,
    }


def _shown(owner: Owner, row: Sequence[Any]) -> CustomUpstream:
    return CustomUpstream(row[0], owner, *row[1 : len(_SHOWN)])


def _whole(owner: Owner, row: Sequence[Any]) -> SealedUpstream:
    return SealedUpstream(_shown(owner, row), row[-2], row[-1])
