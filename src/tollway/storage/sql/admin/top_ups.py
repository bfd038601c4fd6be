"""Rows of auto_top_ups, as an operator sets them."""

from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, bindparam, select, update

from tollway.admin.records import AuditEntry, StoredTopUp, TopUpChange
from tollway.billing.ledger import BudgetRef
from tollway.storage.sql.accounting_tables import auto_top_ups
from tollway.storage.sql.admin.audit import write_audit
from tollway.storage.sql.admin.rows import SqlSubject
from tollway.storage.sql.insertion import insert_missing

_table: Final = auto_top_ups.c
_FIND: Final = select(_table.amount_microdollars, _table.disabled_reason, _table.attempt_started_at).where(
    _table.account_id == bindparam("account")
)
_FIND_LOCKED: Final = _FIND.with_for_update()


class SqlTopUps(SqlSubject):
    async def find_top_up(self, account: BudgetRef) -> StoredTopUp | None:
        def work(connection: Connection) -> StoredTopUp | None:
            row = connection.execute(_FIND, {"account": account.id}).first()
            return None if row is None else StoredTopUp(*row)

        return await self._database.read(work)

    async def set_top_up(
        self, account: BudgetRef, change: TopUpChange, now: datetime, audit: AuditEntry | None
    ) -> StoredTopUp | None:
        wanted: dict[str, Any] = {"disabled_reason": change.reason, "updated_at": now}
        if change.amount_microdollars is not None:
            wanted["amount_microdollars"] = change.amount_microdollars

        def work(connection: Connection) -> StoredTopUp | None:
            before = connection.execute(_FIND_LOCKED, {"account": account.id}).first()
            if before is None:
                if change.amount_microdollars is None:
                    return None
                insert_missing(connection, auto_top_ups, {"account_id": account.id, **wanted})
            else:
                values = dict(wanted)
                if (before.disabled_reason is None) is not change.is_enabled:
                    values["attempt_started_at"] = None
                connection.execute(update(auto_top_ups).where(_table.account_id == account.id).values(values))
            after = StoredTopUp(*connection.execute(_FIND, {"account": account.id}).one())
            if before is None or StoredTopUp(*before) != after:
                write_audit(connection, audit)
            return after

        return await self._database.write(work)
