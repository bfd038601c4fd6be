"""First-usage events: noted when requests are booked, sent later, each once (response-path §8)."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import bindparam, func, literal, select, update
from sqlalchemy.exc import SQLAlchemyError

from tollway.billing.first_usage import DueEvent, FirstUsage, first_usages, personal_users
from tollway.billing.ledger import BudgetKind, Outcome
from tollway.billing.notices import TopUpRules
from tollway.billing.store import StoreUnavailableError
from tollway.clock import utc_now
from tollway.observability.logs import get_log
from tollway.storage.sql.billing import DEFAULT_TOP_UPS, SqlBooks
from tollway.storage.sql.database import Database
from tollway.storage.sql.identity import HAS_PAID
from tollway.storage.sql.insertion import insert_all_missing
from tollway.storage.sql.observation_tables import analytics_events
from tollway.storage.sql.packed import among, pack
from tollway.storage.sql.tables import budgets, usage, users

SETTLE_FIRST: Final = timedelta(seconds=30)  # by then the request is in the books, and so are earlier ones
KNOWN_MAX: Final = 100_000
_DUE_AT_ONCE: Final = 100

_log = get_log()

_SPENT: Final = (
    select(users.c.id, func.coalesce(budgets.c.spent_microdollars, 0))
    .outerjoin_from(users, budgets, budgets.c.id == literal(f"{BudgetKind.USER}:") + users.c.id)
    .where(among(users.c.id, "users"))
)
_DUE: Final = (
    select(
        analytics_events.c.user_id,
        analytics_events.c.event,
        analytics_events.c.request_id,
        analytics_events.c.model,
        analytics_events.c.cost_microdollars,
        users.c.email,
        HAS_PAID,
        analytics_events.c.tries,
    )
    .join_from(analytics_events, users, users.c.id == analytics_events.c.user_id)
    .where(analytics_events.c.due_at <= bindparam("now"))
    .order_by(analytics_events.c.due_at)
    .limit(_DUE_AT_ONCE)
)
_EARLIEST: Final = select(
    users.c.id, select(func.min(usage.c.id)).where(usage.c.user_id == users.c.id).scalar_subquery()
).where(among(users.c.id, "users"))
_END: Final = (
    update(analytics_events)
    .where(analytics_events.c.user_id == bindparam("of_user"), analytics_events.c.event == bindparam("of_event"))
    .values(tries=bindparam("tried"), due_at=bindparam("next_at"))
)


class SqlFirstUsages:
    """Methods raise StoreUnavailableError."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def spent(self, user_ids: Iterable[str]) -> Mapping[str, int]:
        """Micro-dollars that each of these users has spent; of users that do not exist, nothing."""
        values = {"users": pack(user_ids)}
        rows = await self._database.read(lambda connection: connection.execute(_SPENT, values).all())
        return {user_id: int(spent) for user_id, spent in rows}

    async def note(self, events: Sequence[FirstUsage], now: datetime) -> None:
        """At least one. Those that were noted before stay as they were."""
        more = {"tries": 0, "due_at": now + SETTLE_FIRST, "created_at": now}
        rows = [{name: getattr(event, name) for name in event.__struct_fields__} | more for event in events]
        await self._database.write(lambda connection: insert_all_missing(connection, analytics_events, rows))

    async def due(self, now: datetime) -> tuple[DueEvent, ...]:
        """A bounded number of those to be sent, the oldest first."""
        rows = await self._database.read(lambda connection: connection.execute(_DUE, {"now": now}).all())
        if not rows:
            return ()
        noted = [(FirstUsage(*row[:5]), row) for row in rows]
        earliest = await self._earliest({one.user_id for one, _ in noted})
        return tuple(
            DueEvent(one, row.email, bool(row.has_paid), earliest.get(one.user_id, "~") < one.request_id, row.tries)
            for one, row in noted
        )

    async def end(self, event: FirstUsage, tries: int, next_at: datetime | None) -> None:
        """It was tried: when to try again, None for never."""
        values = {"of_user": event.user_id, "of_event": event.event, "tried": tries, "next_at": next_at}
        await self._database.write(lambda connection: connection.execute(_END, values))

    async def _earliest(self, user_ids: set[str]) -> dict[str, str]:
        """The first request of each user that has one."""
        values = {"users": pack(user_ids)}
        rows = await self._database.read(lambda connection: connection.execute(_EARLIEST, values).all())
        return {user_id: first for user_id, first in rows if first is not None}


class BooksWithFirstUsages(SqlBooks):
    """Books that note users' first requests as they settle. That is best effort: money never waits for it."""

    def __init__(
        self,
        database: Database,
        now: Callable[[], datetime] = utc_now,
        on_lost: Callable[[], object] = lambda: None,
        top_ups: TopUpRules = DEFAULT_TOP_UPS,
    ) -> None:
        super().__init__(database, now, top_ups)
        self._firsts = SqlFirstUsages(database)
        self._on_lost = on_lost
        self._known: set[str] = set()  # users who have spent before, or do not exist

    async def settle(self, worker_id: str, outcomes: Sequence[Outcome]) -> tuple[str, ...]:
        try:
            await self._note(outcomes)
        except (StoreUnavailableError, SQLAlchemyError) as error:
            self._on_lost()
            _log.warning("first_usage_not_noted", error=error)
        return await super().settle(worker_id, outcomes)

    async def _note(self, outcomes: Sequence[Outcome]) -> None:
        asked = personal_users(outcomes) - self._known
        if not asked:
            return
        spent = await self._firsts.spent(asked)
        events = first_usages(outcomes, spent)
        if events:
            await self._firsts.note(events, self._now())
        if len(self._known) >= KNOWN_MAX:
            self._known.clear()
        self._known |= {user_id for user_id in asked if spent.get(user_id, 1)}
