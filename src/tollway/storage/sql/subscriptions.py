"""SqlSubscriptions: bonuses of subscribers, months that begin by themselves, and ends that were asked for.

Whoever credits a subscriber holds the lock of the account's budget, so triggers at the same time come one after the
other, and all but the first find nothing to do. Source: response-path 7.2 to 7.5.
"""

from collections.abc import Callable
from datetime import datetime
from functools import partial
from typing import Final

from msgspec.structs import replace
from sqlalchemy import Connection, and_, bindparam, or_, select, true, update
from sqlalchemy.exc import SQLAlchemyError

from tollway.billing.bonus import ACTIVE, Cadence, choose_subscription
from tollway.billing.ledger import BudgetKind, BudgetRef
from tollway.billing.periods import Standing, scheduled_period
from tollway.billing.subscriptions import BONUS_ISSUED, CANCELED, ENDED, Issued, Month
from tollway.catalog.preset import SubscriptionRules
from tollway.clock import utc_now
from tollway.storage.sql import budgets
from tollway.storage.sql.accounting_tables import subscriptions
from tollway.storage.sql.base_credits import Base, credit_base, lock_account, price_of, reach
from tollway.storage.sql.bonuses import grant_bonus
from tollway.storage.sql.database import Database
from tollway.storage.sql.subscription_rows import Happening, Ids, note, read_standing, subscriptions_of

ERROR_CHARS_MAX: Final = 500
ROWS_AT_ONCE: Final = 100

_table: Final = subscriptions.c
_IS_USED_UP: Final = and_(_table.is_cancelling == true(), _table.paid_until <= bindparam("now"))
_BEGINS: Final = and_(
    _table.cadence == Cadence.YEARLY.value,
    _table.status == ACTIVE,
    _table.next_issue_at <= bindparam("now"),
    _table.next_issue_at < _table.paid_until,
)
_DUE: Final = (
    select(_table.id, _table.user_id)
    .where(_table.id > bindparam("after"), _table.ended_at.is_(None), or_(_IS_USED_UP, _BEGINS))
    .order_by(_table.id)
    .limit(ROWS_AT_ONCE)
)
_END: Final = (
    update(subscriptions)
    .where(_table.id == bindparam("subscription"), _table.ended_at.is_(None))
    .values(status=CANCELED, ended_at=bindparam("at"))
)


class SqlSubscriptions:
    """Implements Subscriptions. `now` gives the present instant."""

    def __init__(self, database: Database, now: Callable[[], datetime] = utc_now) -> None:
        self._database = database
        self._now = now

    async def issue_bonus(self, user_id: str, rules: SubscriptionRules) -> Issued:
        now, ids = self._now(), Ids.drawn()
        try:
            return await self._database.write(lambda connection: grant_bonus(connection, user_id, rules, ids, now))
        except (SQLAlchemyError, ArithmeticError, ValueError) as error:
            payload = {"source": "usage_threshold", "error": str(error)[:ERROR_CHARS_MAX]}
            what = Happening(user_id, BONUS_ISSUED, "failed", payload)
            await self._database.write(lambda connection: note(connection, ids.event, what, now))
            return Issued.FAILED

    async def advance(self, rules: SubscriptionRules) -> tuple[str, ...]:
        now, stuck, after = self._now(), list[str](), ""
        while due := await self._due(now, after):
            for subscription_id, user_id in due:
                if not await self._advance_one(subscription_id, user_id, rules, now):
                    stuck.append(subscription_id)
            after = due[-1][0]
        return tuple(stuck)

    async def _due(self, now: datetime, after: str) -> list[tuple[str, str]]:
        """Some with greater ids: those that are stuck stay due, and must not keep the others waiting."""
        values = {"now": now, "after": after}
        return await self._database.read(lambda connection: [(*row,) for row in connection.execute(_DUE, values)])

    async def _advance_one(self, subscription_id: str, user_id: str, rules: SubscriptionRules, now: datetime) -> bool:
        """Every month that has begun, oldest first, each in a transaction; then its end. False: the tier is gone."""
        step: bool | None = True
        while step:
            begin = partial(
                _begin_month, subscription_id=subscription_id, user_id=user_id, rules=rules, ids=Ids.drawn(), now=now
            )
            step = await self._database.write(begin)
        ids = Ids.drawn()
        await self._database.write(lambda connection: _end_if_used_up(connection, subscription_id, user_id, ids, now))
        return step is not None


def _begin_month(
    connection: Connection, subscription_id: str, user_id: str, rules: SubscriptionRules, ids: Ids, now: datetime
) -> bool | None:
    """Whether a month has begun and is credited; None where it has but the tier is not known."""
    lock_account(connection, user_id, now)
    standing = read_standing(connection, subscription_id)
    if standing is None or standing.subscription.status != ACTIVE:
        return False
    period = scheduled_period(standing, now)
    if period is None:
        return False
    price = price_of(standing.subscription.tier, rules)
    if price is None:
        return None
    subscription = replace(standing.subscription, streak_months=period.streak_months)
    credit_base(connection, Base(subscription, Month(period.month), price, rules, ids, now))
    reach(connection, subscription_id, period)
    return True


def _end_if_used_up(connection: Connection, subscription_id: str, user_id: str, ids: Ids, now: datetime) -> None:
    lock_account(connection, user_id, now)
    standing = read_standing(connection, subscription_id)
    if standing is not None and _is_used_up(standing, now):
        end(connection, standing, standing.paid_until or now, ids, now, None)


def _is_used_up(standing: Standing, now: datetime) -> bool:
    return standing.subscription.is_cancelling and standing.paid_until is not None and standing.paid_until <= now


def end(connection: Connection, standing: Standing, at: datetime, ids: Ids, now: datetime, actor: str | None) -> None:
    """It has ended, and with it the wait for its bonus, unless another subscription of the user goes on.

    The account's budget is locked. `actor` None: nobody ended it, its time was over. Once more changes nothing.
    """
    subscription = standing.subscription
    if not connection.execute(_END, {"subscription": subscription.id, "at": at}).rowcount:
        return
    counts = choose_subscription(subscriptions_of(connection, subscription.user_id))
    if counts is None or counts.status != ACTIVE:
        budgets.await_bonus(connection, BudgetRef(BudgetKind.USER, subscription.user_id), None)
    payload = {"actor": actor} if actor else {"reason": "cancelled at the end of its period"}
    note(connection, ids.event, Happening(subscription.user_id, ENDED, "success", payload, subscription.id), now)
