"""Rows of subscriptions, of their months and items, and of the log of what came of them."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from msgspec import Struct
from sqlalchemy import Connection, bindparam, exists, insert, select

from tollway.billing.bonus import Cadence, ItemKind, Subscription
from tollway.billing.periods import Standing
from tollway.billing.subscriptions import Month
from tollway.ids import new_id
from tollway.storage.sql.accounting_tables import (
    subscription_events,
    subscription_issuances,
    subscription_items,
    subscriptions,
)
from tollway.storage.sql.insertion import insert_missing

_COLUMNS: Final = tuple(subscriptions.c[name] for name in Subscription.__struct_fields__)
_BY_ID: Final = select(*_COLUMNS, subscriptions.c.paid_until).where(subscriptions.c.id == bindparam("subscription_id"))
_OF_USER: Final = select(*_COLUMNS).where(subscriptions.c.user_id == bindparam("user_id"))
_ISSUANCE: Final = select(subscription_issuances.c.id).where(
    subscription_issuances.c.subscription_id == bindparam("subscription_id"),
    subscription_issuances.c.month == bindparam("month"),
)
_NEWEST: Final = (
    select(subscription_issuances.c.id, subscription_issuances.c.month)
    .where(subscription_issuances.c.subscription_id == bindparam("subscription_id"))
    .order_by(subscription_issuances.c.month.desc())
    .limit(1)
)
_NEWEST_PAID: Final = _NEWEST.where(
    exists().where(
        subscription_items.c.issuance_id == subscription_issuances.c.id,
        subscription_items.c.kind == ItemKind.BASE.value,
    )
)
_ITEMS: Final = select(subscription_items.c.kind).where(subscription_items.c.issuance_id == bindparam("issuance_id"))


class Ids(Struct, frozen=True):
    """Drawn before a transaction, which may run several times and must do the same each time."""

    credit: str
    issuance: str
    item: str
    event: str

    @classmethod
    def drawn(cls) -> "Ids":
        return cls(new_id(), new_id(), new_id(), new_id())


def read_standing(connection: Connection, subscription_id: str) -> Standing | None:
    """Where the account's budget is locked, nobody changes it meanwhile."""
    row = connection.execute(_BY_ID, {"subscription_id": subscription_id}).first()
    if row is None:
        return None
    newest = newest_issuance(connection, subscription_id, with_base=True)
    return Standing(_subscription(row), row.paid_until, newest[1].first_day if newest else None)


def subscriptions_of(connection: Connection, user_id: str) -> list[Subscription]:
    return [_subscription(row) for row in connection.execute(_OF_USER, {"user_id": user_id})]


def _subscription(row: Any) -> Subscription:
    values = {name: getattr(row, name) for name in Subscription.__struct_fields__}
    return Subscription(**{**values, "cadence": Cadence(values["cadence"])})


def newest_issuance(
    connection: Connection, subscription_id: str, *, with_base: bool = False
) -> tuple[str, Month] | None:
    """The last month of a subscription, with the id of its row. `with_base`: the last one that was credited."""
    row = connection.execute(_NEWEST_PAID if with_base else _NEWEST, {"subscription_id": subscription_id}).first()
    return None if row is None else (row.id, Month(row.month))


def issuance_of(connection: Connection, subscription: Subscription, month: Month, id_: str, now: datetime) -> str:
    """The id of the row of that month, which is made under `id_` where it is missing."""
    row = {
        "id": id_,
        "subscription_id": subscription.id,
        "month": month.first_day,
        "source": "invoice" if month.invoice_id else "schedule",
        "invoice_id": month.invoice_id,
        "created_at": now,
    }
    insert_missing(connection, subscription_issuances, row)
    key = {"subscription_id": subscription.id, "month": month.first_day}
    found: str | None = connection.execute(_ISSUANCE, key).scalar()
    if found is None:
        raise ValueError(f"invoice {month.invoice_id} has paid another month")
    return found


def items_of(connection: Connection, issuance_id: str) -> frozenset[str]:
    """Which kinds of item that month has (ItemKind)."""
    return frozenset(connection.execute(_ITEMS, {"issuance_id": issuance_id}).scalars())


def add_item(
    connection: Connection, ids: Ids, issuance_id: str, kind: ItemKind, amount: int, percent: Any = None
) -> None:
    row = {
        "id": ids.item,
        "issuance_id": issuance_id,
        "kind": kind.value,
        "credit_transaction_id": ids.credit,
        "amount_microdollars": amount,
        "percent": percent,
    }
    connection.execute(insert(subscription_items), row)


class Happening(Struct, frozen=True):
    """A line of the log."""

    user_id: str
    action: str
    result: str
    payload: Mapping[str, Any]
    subscription_id: str | None = None
    issuance_id: str | None = None
    credit_id: str | None = None


def note(connection: Connection, id_: str, what: Happening, now: datetime) -> None:
    row = {
        "id": id_,
        "action": what.action,
        "result": what.result,
        "user_id": what.user_id,
        "subscription_id": what.subscription_id,
        "issuance_id": what.issuance_id,
        "credit_transaction_id": what.credit_id,
        "payload": dict(what.payload),
        "created_at": now,
    }
    connection.execute(insert(subscription_events), row)
