"""What the database and the stand-in hold about the requests of one account."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, select

from flow.accounts import Account, Accounts
from flow.programs import Sim
from tollway.storage.sql.admin.store import SqlAdmin
from tollway.storage.sql.database import Database
from tollway.storage.sql.tables import usage

_COLUMNS = (
    usage.c.id,
    usage.c.organization_id,
    usage.c.basis,
    usage.c.cost_microdollars,
    usage.c.absorbed_microdollars,
    usage.c.completion_tokens,
)


@dataclass(frozen=True, slots=True)
class UsageRow:
    """One charged request; `id` is its request id."""

    id: str
    organization_id: str | None
    basis: str
    cost: int
    absorbed: int
    completion_tokens: int


def usage_of(accounts: Accounts, account: Account) -> list[UsageRow]:
    """The account's usage rows, oldest first (request ids are ordered by time)."""

    async def work(_: SqlAdmin, database: Database) -> list[UsageRow]:
        def read(connection: Connection) -> list[UsageRow]:
            rows = connection.execute(select(*_COLUMNS).where(usage.c.user_id == account.user_id).order_by(usage.c.id))
            return [UsageRow(*row) for row in rows]

        return await database.read(read)

    return accounts.run(work)


def attempts_at(sim: Sim, request_id: str) -> list[dict[str, Any]]:
    """What the stand-in answered to each attempt of one request, in order."""
    return [
        record
        for record in sim.records()
        if record["kind"] == "answer" and (record["x_request_id"] or "").startswith(f"{request_id}-")
    ]
