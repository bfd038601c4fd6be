"""People whose requests are booked, and who hears of their first ones."""

from typing import Any

from contract.scenario import ACME, Clock, a_hold, outcome, record, top_up
from tollway.admin.first_usage_events import send_due
from tollway.billing.ledger import BudgetKind, BudgetRef, Outcome
from tollway.money import Microdollars
from tollway.storage.sql.database import Database
from tollway.storage.sql.first_usages import BooksWithFirstUsages, SqlFirstUsages
from tollway.storage.sql.tables import credit_transactions, users

TRIES_MAX = 3


class Uptake:
    """`sent` are the messages that arrived; `failure` keeps any from arriving."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.clock = Clock()
        self.lost = 0
        self.books = BooksWithFirstUsages(database, self.clock, self._lose)
        self.events = SqlFirstUsages(database)
        self.sent: list[dict[str, Any]] = []
        self.failure: str | None = None

    def _lose(self) -> None:
        self.lost += 1

    async def user(self, id_: str, paid: bool = False) -> None:
        """With money of their own, and an organization of which everybody is a member."""
        row = {
            "id": id_,
            "email": f"{id_}@example.com",
            "name": "",
            "created_at": self.clock.now,
            "updated_at": self.clock.now,
        }
        await self.database.write(lambda connection: connection.execute(users.insert(), row))
        await top_up(self.database, BudgetRef(BudgetKind.USER, id_), 10**6)
        await top_up(self.database, ACME, 10**6, transaction_id=id_)
        if paid:
            bought = credit_transactions.update().where(credit_transactions.c.user_id == id_).values(is_free=False)
            await self.database.write(lambda connection: connection.execute(bought))

    def outcome(self, request_id: str, cost: int, organization: str | None = None, user: str = "ann") -> Outcome:
        payer = ACME if organization else BudgetRef(BudgetKind.USER, user)
        made = record(user_id=user, organization_id=organization)
        return outcome(a_hold(request_id, 0, payer, worst_case=10**6), cost, record=made, market_cost=Microdollars(0))

    async def send(self) -> int:
        async def one(message: dict[str, Any]) -> str | None:
            if self.failure is None:
                self.sent.append(message)
            return self.failure

        return await send_due(self.events, "phc_key", TRIES_MAX, one, self.clock.now)
