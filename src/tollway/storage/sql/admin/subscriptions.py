"""Rows of subscriptions, as an operator keeps them. The lock of the account's budget covers them too."""

from collections.abc import Callable
from datetime import datetime
from typing import Any, Final

from msgspec.structs import replace
from sqlalchemy import Connection, Select, and_, bindparam, or_, select, update

from tollway.admin.records import Page
from tollway.admin.subscription_records import (
    PaidPeriod,
    PaymentOrder,
    StoredSubscription,
    SubscriptionChange,
    SubscriptionDetails,
    SubscriptionEvent,
    SubscriptionMonth,
    Unpaid,
)
from tollway.billing.bonus import Cadence, ItemKind
from tollway.billing.periods import Period, Standing, paid_period
from tollway.billing.subscriptions import STARTED, Month
from tollway.storage.sql.accounting_tables import (
    subscription_events,
    subscription_issuances,
    subscription_items,
    subscriptions,
)
from tollway.storage.sql.admin.rows import SqlSubject, newest_first
from tollway.storage.sql.base_credits import Base, credit_base, lock_account, price_of, reach
from tollway.storage.sql.insertion import insert_missing
from tollway.storage.sql.subscription_rows import Happening, Ids, note, read_standing
from tollway.storage.sql.subscriptions import end
from tollway.storage.sql.tables import credit_transactions

MONTHS_SHOWN: Final = 36
EVENTS_SHOWN: Final = 100

_table: Final = subscriptions.c
_COLUMNS: Final = tuple(_table[name] for name in StoredSubscription.__dataclass_fields__)
_BY_ID: Final = select(*_COLUMNS).where(_table.id == bindparam("named"))
_FIND: Final = (
    select(*_COLUMNS)
    .where(or_(_table.id == bindparam("named"), _table.external_id == bindparam("named")))
    .order_by((_table.id == bindparam("named")).desc())
)
_base: Final = subscription_items.alias("base")
_bonus: Final = subscription_items.alias("bonus")
_issuances: Final = subscription_issuances.c
_MONTHS: Final = (
    select(
        _issuances.month,
        _issuances.invoice_id,
        _base.c.amount_microdollars,
        _bonus.c.amount_microdollars.label("bonus"),
        _issuances.created_at,
    )
    .select_from(subscription_issuances)
    .outerjoin(_base, and_(_base.c.issuance_id == _issuances.id, _base.c.kind == ItemKind.BASE.value))
    .outerjoin(_bonus, and_(_bonus.c.issuance_id == _issuances.id, _bonus.c.kind != ItemKind.BASE.value))
    .where(_issuances.subscription_id == bindparam("named"))
    .order_by(_issuances.month.desc())
    .limit(MONTHS_SHOWN)
)
_events: Final = subscription_events.c
_EVENTS: Final = (
    select(_events.action, _events.result, _events.payload, _events.created_at)
    .where(_events.subscription_id == bindparam("named"))
    .order_by(_events.created_at.desc(), _events.id.desc())
    .limit(EVENTS_SHOWN)
)
_BOOKED: Final = (  # what was paid with that id; the rest is NULL where it was no subscription
    select(
        credit_transactions.c.id,
        credit_transactions.c.amount_microdollars,
        _issuances.subscription_id,
        _issuances.month,
    )
    .select_from(credit_transactions)
    .outerjoin(subscription_items, subscription_items.c.credit_transaction_id == credit_transactions.c.id)
    .outerjoin(subscription_issuances, _issuances.id == subscription_items.c.issuance_id)
    .where(credit_transactions.c.payment_id == bindparam("payment"))
)


class SqlSubscriptionDesk(SqlSubject):
    async def add_subscription(self, subscription: StoredSubscription, actor: str) -> bool:
        row = {name: getattr(subscription, name) for name in StoredSubscription.__dataclass_fields__}
        ids = Ids.drawn()
        payload = {"actor": actor, "tier": subscription.tier, "cadence": subscription.cadence.value}
        what = Happening(subscription.user_id, STARTED, "success", payload, subscription.id)

        def work(connection: Connection) -> bool:
            if insert_missing(connection, subscriptions, {**row, "cadence": subscription.cadence.value}):
                note(connection, ids.event, what, subscription.created_at)
                return True
            return _read(connection, subscription.id) is not None  # an earlier try of ours

        return await self._database.write(work)

    async def find_subscription(self, id_or_external_id: str) -> StoredSubscription | None:
        def work(connection: Connection) -> StoredSubscription | None:
            row = connection.execute(_FIND, {"named": id_or_external_id}).first()
            return None if row is None else _subscription(row)

        return await self._database.read(work)

    async def list_subscriptions(self, page: Page, user_id: str | None) -> tuple[StoredSubscription, ...]:
        wanted: Select[Any] = select(*_COLUMNS)
        if user_id is not None:
            wanted = wanted.where(_table.user_id == user_id)
        statement = newest_first(wanted, subscriptions, page)
        return await self._database.read(
            lambda connection: tuple(_subscription(row) for row in connection.execute(statement).all())
        )

    async def subscription_details(self, subscription: StoredSubscription) -> SubscriptionDetails:
        named = {"named": subscription.id}

        def work(connection: Connection) -> SubscriptionDetails:
            months = tuple(SubscriptionMonth(*row) for row in connection.execute(_MONTHS, named).all())
            events = tuple(SubscriptionEvent(*row) for row in connection.execute(_EVENTS, named).all())
            return SubscriptionDetails(subscription, months, events)

        return await self._database.read(work)

    async def pay_period(self, subscription_id: str, order: PaymentOrder, now: datetime) -> PaidPeriod | Unpaid:
        ids = Ids.drawn()
        try:
            return await self._database.write(lambda connection: _pay(connection, subscription_id, order, ids, now))
        except ValueError:  # somebody else has booked that payment in this moment
            return Unpaid.OTHER

    async def change_subscription(
        self, subscription_id: str, change: SubscriptionChange, now: datetime
    ) -> StoredSubscription | None:
        ids = Ids.drawn()

        def work(connection: Connection, standing: Standing) -> StoredSubscription | None:
            before = _read(connection, subscription_id)
            if before is None or before.ended_at is not None:
                return None
            if any(getattr(before, name) != value for name, value in change.values.items()):
                connection.execute(update(subscriptions).where(_table.id == subscription_id).values(change.values))
                payload = {"actor": change.actor, **change.values}
                user_id = standing.subscription.user_id
                note(
                    connection,
                    ids.event,
                    Happening(user_id, change.action, "success", payload, subscription_id),
                    now,
                )
            return _read(connection, subscription_id)

        return await self._locked(subscription_id, now, work)

    async def end_subscription(self, subscription_id: str, actor: str, now: datetime) -> StoredSubscription | None:
        ids = Ids.drawn()

        def work(connection: Connection, standing: Standing) -> StoredSubscription | None:
            end(connection, standing, now, ids, now, actor)
            return _read(connection, subscription_id)

        return await self._locked(subscription_id, now, work)

    async def _locked(
        self,
        subscription_id: str,
        now: datetime,
        work: Callable[[Connection, Standing], StoredSubscription | None],
    ) -> StoredSubscription | None:
        def whole(connection: Connection) -> StoredSubscription | None:
            standing = _lock(connection, subscription_id, now)
            return None if standing is None else work(connection, standing)

        return await self._database.write(whole)


def _lock(connection: Connection, subscription_id: str, now: datetime) -> Standing | None:
    """The subscription as it is once nobody else changes it. Whose it is never changes."""
    found = _read(connection, subscription_id)
    if found is None:
        return None
    lock_account(connection, found.user_id, now)
    return read_standing(connection, subscription_id)


def _pay(
    connection: Connection, subscription_id: str, order: PaymentOrder, ids: Ids, now: datetime
) -> PaidPeriod | Unpaid:
    standing = _lock(connection, subscription_id, now)
    if standing is None:
        return Unpaid.NO_SUBSCRIPTION
    booked = connection.execute(_BOOKED, {"payment": order.payment_id}).first()
    if booked is not None:
        if booked.subscription_id != subscription_id:
            return Unpaid.OTHER
        is_repeat = booked.id != ids.credit  # or it is an earlier try of ours
        stored = _stored(connection, subscription_id)
        return PaidPeriod(stored, booked.month, booked.id, booked.amount_microdollars, is_repeat)
    if _stored(connection, subscription_id).ended_at is not None:
        return Unpaid.ENDED
    price = price_of(standing.subscription.tier, order.rules)
    if price is None:
        return Unpaid.NO_TIER
    period = paid_period(standing, order.paid_at, order.month)
    if period is None:
        return Unpaid.TOO_EARLY
    return _credit(connection, standing, period, order, ids, now)


def _credit(
    connection: Connection, standing: Standing, period: Period, order: PaymentOrder, ids: Ids, now: datetime
) -> PaidPeriod | Unpaid:
    subscription = replace(standing.subscription, streak_months=period.streak_months)
    price = price_of(subscription.tier, order.rules)
    assert price is not None
    month = Month(period.month, order.payment_id)
    if not credit_base(connection, Base(subscription, month, price, order.rules, ids, now, order.actor)):
        return Unpaid.MONTH_PAID
    reach(connection, subscription.id, period)
    return PaidPeriod(_stored(connection, subscription.id), period.month, ids.credit, price, is_repeat=False)


def _stored(connection: Connection, subscription_id: str) -> StoredSubscription:
    return _subscription(connection.execute(_BY_ID, {"named": subscription_id}).one())


def _read(connection: Connection, subscription_id: str) -> StoredSubscription | None:
    row = connection.execute(_BY_ID, {"named": subscription_id}).first()
    return None if row is None else _subscription(row)


def _subscription(row: Any) -> StoredSubscription:
    values = row._asdict()
    return StoredSubscription(**{**values, "cadence": Cadence(values["cadence"])})
