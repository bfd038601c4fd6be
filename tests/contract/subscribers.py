"""Ann subscribes: what she pays and uses, what the books say of her bonus then."""

from datetime import date, datetime
from typing import Any

from msgspec import structs
from sqlalchemy import Connection, insert, select, update

from contract.scenario import ANN, START, Clock, a_hold, outcome, record, top_up
from tollway.billing.bonus import Subscription
from tollway.billing.ledger import BudgetKind, BudgetRef
from tollway.billing.subscriptions import Issued, Month
from tollway.catalog.preset import SubscriptionRules
from tollway.gateway.notices import handle_notices
from tollway.storage.sql.accounting_tables import (
    subscription_events,
    subscription_issuances,
    subscription_items,
    subscriptions,
)
from tollway.storage.sql.base_credits import Base, credit_base, price_of
from tollway.storage.sql.billing import SqlBooks
from tollway.storage.sql.database import Database
from tollway.storage.sql.notices import SqlNotices
from tollway.storage.sql.subscription_rows import Ids, read_standing
from tollway.storage.sql.subscriptions import SqlSubscriptions
from tollway.storage.sql.tables import budgets, credit_transactions
from unit.billing.subscriptions import RULES, subscription

MARCH = Month(date(2026, 3, 1), "invoice-1")
PRICE = 19_000_000


async def keep(database: Database, one: Subscription) -> None:
    """As it is, whatever was there under its id."""
    row = {**structs.asdict(one), "cadence": one.cadence.value, "external_id": f"external-{one.id}"}

    def work(connection: Connection) -> None:
        if not connection.execute(update(subscriptions).where(subscriptions.c.id == one.id).values(row)).rowcount:
            connection.execute(insert(subscriptions), row)

    await database.write(work)


async def pay(
    database: Database, subscription_id: str, month: Month, rules: SubscriptionRules, now: datetime
) -> Issued:
    """Credit a month, without moving the subscription on."""
    ids = Ids.drawn()

    def work(connection: Connection) -> Issued:
        standing = read_standing(connection, subscription_id)
        price = price_of(standing.subscription.tier, rules) if standing else None
        if standing is None or price is None:
            return Issued.NOTHING
        base = Base(standing.subscription, month, price, rules, ids, now)
        return Issued.DONE if credit_base(connection, base) else Issued.NOTHING

    return await database.write(work)


class Subscriber:
    """Call `begin` first."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.clock = Clock()
        self.books = SqlBooks(database, self.clock)
        self.store = SqlSubscriptions(database, self.clock)
        self.notices = SqlNotices(database, self.clock)
        self.rules: SubscriptionRules = RULES
        self._requests = 0

    async def begin(self) -> None:
        await self.books.enlist("w1", "here")

    async def subscribe(self, **changes: Any) -> Subscription:
        one = subscription(**changes)
        await keep(self.database, one)
        return one

    async def pay(self, subscription_id: str = "s1", month: Month = MARCH) -> Issued:
        return await pay(self.database, subscription_id, month, self.rules, self.clock.now)

    async def use(self, amount: int, account: BudgetRef = ANN) -> str:
        """One request that costs so much; its id."""
        self._requests += 1
        id_ = f"r{self._requests}"
        organization = account.owner if account.kind is BudgetKind.ORGANIZATION else None
        of = record(organization_id=organization, key_id=None)
        await self.books.settle("w1", [outcome(a_hold(id_, 0, account, worst_case=amount), amount, record=of)])
        return id_

    async def credit(self, amount: int) -> None:
        await top_up(self.database, ANN, amount)

    async def begins_month(self, first_day: date) -> None:
        """A month that nobody has paid."""
        row = {"id": "unpaid", "subscription_id": "s1", "month": first_day, "source": "schedule", "created_at": START}
        await self.database.write(lambda connection: connection.execute(subscription_issuances.insert(), row))

    async def has_item(self, kind: str) -> None:
        """The month that was paid has such an item already."""
        await self.credit(1)

        def work(connection: Connection) -> None:
            issuance = connection.execute(select(subscription_issuances.c.id)).scalar_one()
            row = {"id": kind, "issuance_id": issuance, "kind": kind, "amount_microdollars": 1}
            credit = {"credit_transaction_id": f"{ANN.id}-first"}
            connection.execute(subscription_items.insert(), {**row, **credit})

        await self.database.write(work)

    async def handle(self) -> int:
        self.clock.advance(seconds=1)  # what is written is read back in order
        return await handle_notices(self.notices, self.store, self.rules, None)

    async def bonuses(self) -> list[tuple[int, bool, str | None]]:
        """Amount, whether it is free, and category of all that was credited, oldest first, but for payments."""
        table = credit_transactions.c
        columns = (table.amount_microdollars, table.is_free, table.credit_category)
        return await self._all(select(*columns).where(table.is_free.is_(True)).order_by(table.created_at))

    async def items(self) -> list[tuple[str, int]]:
        table = subscription_items.c
        return await self._all(select(table.kind, table.amount_microdollars).order_by(table.kind))

    async def months(self) -> list[date]:
        return [row[0] for row in await self._all(select(subscription_issuances.c.month))]

    async def events(self) -> list[tuple[str, str, Any]]:
        table = subscription_events.c
        return await self._all(select(table.action, table.result, table.payload).order_by(table.created_at, table.id))

    async def due(self) -> int | None:
        rows = await self._all(select(budgets.c.bonus_due_microdollars).where(budgets.c.id == ANN.id))
        return rows[0][0] if rows else None

    async def _all(self, statement: Any) -> list[Any]:
        def work(connection: Connection) -> list[Any]:
            return [tuple(row) for row in connection.execute(statement)]

        return await self.database.read(work)
