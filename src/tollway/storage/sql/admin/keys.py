"""Rows of api_keys."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, bindparam, func, select, update

from tollway.admin.records import ApiKey, AuditEntry, KeyScope, Page
from tollway.billing.ledger import BudgetKind
from tollway.identity.store import KeyRow
from tollway.storage.sql.admin.audit import write_audit
from tollway.storage.sql.admin.rows import SqlSubject, matches, newest_first
from tollway.storage.sql.identity_changes import note_change
from tollway.storage.sql.insertion import insert_missing
from tollway.storage.sql.tables import api_keys, budgets, memberships, organizations

_COLUMNS: Final = (
    api_keys.c.id,
    api_keys.c.user_id,
    api_keys.c.organization_id,
    api_keys.c.label,
    api_keys.c.last_four,
    api_keys.c.limit_microdollars,
    func.coalesce(budgets.c.spent_microdollars, 0),
    api_keys.c.expires_at,
    api_keys.c.revoked_at,
    api_keys.c.created_at,
    api_keys.c.model_allow_list,
    api_keys.c.last_used_at,
)
_BUDGET_ID: Final = f"{BudgetKind.KEY.value}:" + api_keys.c.id
_SHOWN: Final = select(*_COLUMNS).outerjoin_from(api_keys, budgets, budgets.c.id == _BUDGET_ID)
_BY_ID: Final = _SHOWN.where(api_keys.c.id == bindparam("key_id"))
_LISTED: Final = _SHOWN.where(
    matches(api_keys.c.user_id, "user_id"), matches(api_keys.c.organization_id, "organization_id")
)
_MEMBER: Final = (
    select(memberships.c.id)
    .join_from(memberships, organizations, organizations.c.id == memberships.c.organization_id)
    .where(
        memberships.c.organization_id == bindparam("organization_id"),
        memberships.c.user_id == bindparam("user_id"),
        organizations.c.deleted_at.is_(None),
    )
    .with_for_update(of=memberships, read=True)
)
_REVOKE: Final = (
    update(api_keys)
    .where(api_keys.c.id == bindparam("key_id"), api_keys.c.revoked_at.is_(None))
    .values(revoked_at=bindparam("now"))
)


class SqlKeys(SqlSubject):
    async def add_key(self, key: KeyRow, audit: AuditEntry | None = None) -> bool:
        row = {
            "id": key.id,
            "secret_hash": key.secret_hash,
            "user_id": key.user_id,
            "organization_id": key.organization_id,
            "label": key.label,
            "last_four": key.last_four,
            "limit_microdollars": key.limit_microdollars,
            "expires_at": key.expires_at,
            "revoked_at": key.revoked_at,
            "created_at": key.created_at,
            "model_allow_list": key.model_allow_list,
        }
        who = {"organization_id": key.organization_id, "user_id": key.user_id}

        def work(connection: Connection) -> bool:
            if key.organization_id is not None and connection.execute(_MEMBER, who).first() is None:
                return False
            if insert_missing(connection, api_keys, row):
                write_audit(connection, audit)
            note_change(connection, key.user_id)
            return True

        return await self._database.write(work)

    async def list_keys(self, page: Page, user_id: str | None, organization_id: str | None) -> tuple[ApiKey, ...]:
        statement = newest_first(_LISTED, api_keys, page)
        values = {"user_id": user_id, "organization_id": organization_id}
        return await self._database.read(
            lambda connection: tuple(_key(row) for row in connection.execute(statement, values).all())
        )

    async def list_keys_in(self, page: Page, scope: KeyScope) -> tuple[ApiKey, ...]:
        statement = newest_first(_SHOWN.where(*_is_in(scope)), api_keys, page)
        return await self._database.read(
            lambda connection: tuple(_key(row) for row in connection.execute(statement).all())
        )

    async def find_key(self, key_id: str, scope: KeyScope) -> ApiKey | None:
        statement = _SHOWN.where(api_keys.c.id == key_id, *_is_in(scope))

        def work(connection: Connection) -> ApiKey | None:
            row = connection.execute(statement).first()
            return None if row is None else _key(row)

        return await self._database.read(work)

    async def change_key(
        self, key_id: str, scope: KeyScope, values: Mapping[str, Any], audit: AuditEntry | None
    ) -> ApiKey | None:
        which = (api_keys.c.id == key_id, *_is_in(scope))
        change = update(api_keys).where(*which, api_keys.c.revoked_at.is_(None)).values(**values)

        def work(connection: Connection) -> ApiKey | None:
            is_changed = connection.execute(change).rowcount > 0
            if not is_changed and "revoked_at" not in values:
                return None
            row = connection.execute(_SHOWN.where(*which)).first()
            if row is not None and is_changed:
                write_audit(connection, audit)
                note_change(connection, row.user_id)
            return None if row is None else _key(row)

        return await self._database.write(work)

    async def revoke_key(self, key_id: str, now: datetime) -> ApiKey | None:
        def work(connection: Connection) -> ApiKey | None:
            connection.execute(_REVOKE, {"key_id": key_id, "now": now})
            row = connection.execute(_BY_ID, {"key_id": key_id}).first()
            if row is None:
                return None
            note_change(connection, row.user_id)
            return _key(row)

        return await self._database.write(work)


def _is_in(scope: KeyScope) -> tuple[Any, ...]:
    """The scope is part of every statement."""
    conditions: list[Any] = []
    if scope.user_id is not None:
        conditions.append(api_keys.c.user_id == scope.user_id)
    if scope.organization_id is not None:
        conditions.append(api_keys.c.organization_id == scope.organization_id)
    if scope.is_personal:
        conditions.append(api_keys.c.organization_id.is_(None))
    return tuple(conditions)


def _key(row: Sequence[Any]) -> ApiKey:
    return ApiKey(*row)
