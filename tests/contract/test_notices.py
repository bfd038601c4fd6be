"""What settlements tell: low balances of organizations, accounts to be topped up, each once."""

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import delete, insert

from contract.scenario import ACME, ANN, START, Clock, a_hold, outcome, record, top_up
from contract.subscribers import Subscriber
from tollway.admin.records import TopUpChange
from tollway.billing.ledger import BudgetRef, HoldPolicy, HoldRefused
from tollway.billing.notices import NoticeKind
from tollway.billing.store import Ask, LeaseOrder
from tollway.money import Microdollars
from tollway.storage.sql.accounting_tables import auto_top_ups
from tollway.storage.sql.admin.store import SqlAdmin
from tollway.storage.sql.billing import SqlBooks
from tollway.storage.sql.credit_rows import book_credit
from tollway.storage.sql.database import Database
from tollway.storage.sql.notices import SqlNotices, announce
from tollway.storage.sql.tables import organizations

ALERT = {"minimum_balance": 5, "minimum_balance_alert_email": ["boss@example.com"]}


@pytest.fixture
def notices(database: Database, clock: Clock) -> SqlNotices:
    return SqlNotices(database, clock)


async def acme(database: Database, settings: dict[str, Any], balance: int) -> None:
    row = {
        "id": "acme",
        "name": "Acme",
        "plan": "teams",
        "settings": settings,
        "created_at": START,
        "updated_at": START,
    }
    await database.write(lambda connection: connection.execute(insert(organizations), row))
    await top_up(database, ACME, balance)


async def use(books: SqlBooks, id_: str, amount: int, account: BudgetRef = ACME) -> None:
    of = record(organization_id="acme" if account is ACME else None)
    await books.settle("w1", [outcome(a_hold(id_, 0, account, worst_case=amount), amount, record=of)])


async def test_an_organization_that_falls_below_its_minimum_is_told_once(
    database: Database, books: SqlBooks, notices: SqlNotices, clock: Clock
) -> None:
    await acme(database, ALERT, 5_000_000)
    await use(books, "r1", 10_000)
    (notice,) = await notices.take(10)
    assert notice.kind == NoticeKind.LOW_BALANCE
    assert notice.payload == {
        "organization_id": "acme",
        "minimum_microdollars": 5_000_000,
        "balance_microdollars": 4_990_000,
        "recipients": ["boss@example.com"],
    }
    await notices.forget(notice.id)
    clock.advance(hours=1)
    await use(books, "r2", 10_000)
    assert await notices.take(10) == ()


@pytest.mark.parametrize("settings", [{}, {"minimum_balance": 0}, {"minimum_balance": "much"}])
async def test_no_minimum_no_notice(
    database: Database, books: SqlBooks, notices: SqlNotices, settings: dict[str, Any]
) -> None:
    await acme(database, settings, 5_000_000)
    await use(books, "r1", 4_000_000)
    assert await notices.take(10) == ()


async def wants_top_up(database: Database, account: BudgetRef, **changes: Any) -> None:
    row = {"account_id": account.id, "amount_microdollars": 20_000_000, "updated_at": START, **changes}
    await database.write(lambda connection: connection.execute(insert(auto_top_ups), row))


async def test_a_low_balance_asks_for_one_top_up_at_a_time(
    database: Database, books: SqlBooks, notices: SqlNotices, clock: Clock
) -> None:
    await top_up(database, ANN, 5_000_000)
    await wants_top_up(database, ANN)
    await use(books, "r1", 1, ANN)
    (notice,) = await notices.take(10)
    assert (notice.kind, notice.payload) == (
        "top_up_due",
        {
            "account": "user:ann",
            "user_id": "ann",
            "amount_microdollars": 20_000_000,
            "balance_microdollars": 4_999_999,
        },
    )
    await notices.forget(notice.id)
    clock.advance(minutes=119)
    await use(books, "r2", 1, ANN)
    assert await notices.take(10) == ()
    clock.advance(minutes=2)
    await use(books, "r3", 1, ANN)
    assert len(await notices.take(10)) == 1


async def test_a_payment_ends_the_wait(database: Database, books: SqlBooks, notices: SqlNotices, clock: Clock) -> None:
    await wants_top_up(database, ANN)
    await use(books, "r1", 1, ANN)
    (first,) = await notices.take(10)
    await notices.forget(first.id)
    paid = {"id": "p", "user_id": "ann", "amount_microdollars": 100, "is_free": False, "created_at": clock.now}
    await database.write(lambda connection: book_credit(connection, ANN, paid))
    clock.advance(seconds=1)
    await use(books, "r2", 1, ANN)
    assert len(await notices.take(10)) == 1


async def test_who_does_not_want_it_is_not_topped_up(database: Database, books: SqlBooks, notices: SqlNotices) -> None:
    await wants_top_up(database, ANN, disabled_reason="declined")
    await use(books, "r1", 1, ANN)
    await database.write(lambda connection: connection.execute(delete(auto_top_ups)))
    await wants_top_up(database, ACME)
    await top_up(database, ACME, 60_000_000)
    await use(books, "r2", 10_000_000)
    assert await notices.take(10) == ()
    await use(books, "r3", 1)
    assert [notice.payload["account"] for notice in await notices.take(10)] == ["organization:acme"]


async def test_a_subscriber_who_waits_for_the_bonus_is_not_topped_up(
    database: Database, books: SqlBooks, notices: SqlNotices
) -> None:
    ann = Subscriber(database)
    await ann.subscribe()
    await ann.pay()
    await wants_top_up(database, ANN)
    await use(books, "r1", 17_000_000, ANN)
    assert await notices.take(10) == ()


async def test_a_notice_is_taken_by_one_and_comes_again(database: Database, notices: SqlNotices, clock: Clock) -> None:
    for id_ in ("b", "a"):
        await database.write(
            lambda connection, id_=id_: announce(connection, id_, NoticeKind.LOW_BALANCE, {"x": id_}, clock.now)
        )
    assert [one.id for one in await notices.take(1)] == ["a"]
    assert [one.id for one in await notices.take(5)] == ["b"]
    assert await notices.take(5) == ()
    clock.advance(seconds=2)
    again = await notices.take(5)
    assert [(one.id, one.attempts, one.payload) for one in again] == [("a", 2, {"x": "a"}), ("b", 2, {"x": "b"})]
    clock.advance(seconds=3)
    assert await notices.take(5) == ()
    await notices.forget("a")
    clock.now += timedelta(hours=2)
    assert [one.id for one in await notices.take(5)] == ["b"]


async def asks(books: SqlBooks, id_: str, need: int) -> object:
    ask = LeaseOrder("w1", id_, (Ask(ANN, need, Microdollars(0)),), HoldPolicy.STRICT, 1, is_last_try=True)
    return await books.lease(ask)


async def test_a_refusal_asks_for_a_top_up_that_nothing_else_would_ask_for(
    database: Database, books: SqlBooks, notices: SqlNotices, clock: Clock
) -> None:
    """Turned on when nothing was left, or the one before never came: nothing is settled that could tell."""
    await top_up(database, ANN, 100)
    assert isinstance(await asks(books, "r1", 101), HoldRefused)
    assert await notices.take(10) == ()
    await wants_top_up(database, ANN)
    for id_ in ("r2", "r3"):
        assert isinstance(await asks(books, id_, 101), HoldRefused)
    (notice,) = await notices.take(10)
    assert (notice.kind, notice.payload["balance_microdollars"]) == ("top_up_due", 100)
    await notices.forget(notice.id)
    clock.advance(hours=3)
    await asks(books, "r4", 101)
    assert len(await notices.take(10)) == 1


async def test_a_refusal_of_one_who_has_enough_asks_for_nothing(
    database: Database, books: SqlBooks, notices: SqlNotices
) -> None:
    await top_up(database, ANN, 5_000_000)
    await wants_top_up(database, ANN)
    assert isinstance(await asks(books, "r1", 5_000_001), HoldRefused)
    assert await notices.take(10) == ()


async def test_a_grant_with_a_payment_id_answers_a_top_up_too(
    database: Database, books: SqlBooks, notices: SqlNotices, clock: Clock
) -> None:
    await wants_top_up(database, ANN, attempt_started_at=clock.now)
    grant = {"user_id": "ann", "amount_microdollars": 100, "is_free": True, "created_at": clock.now}
    await database.write(lambda connection: book_credit(connection, ANN, {**grant, "id": "g1"}))
    await use(books, "r1", 1, ANN)
    assert await notices.take(10) == ()
    await database.write(lambda connection: book_credit(connection, ANN, {**grant, "id": "g2", "payment_id": "n1"}))
    await use(books, "r2", 1, ANN)
    assert len(await notices.take(10)) == 1


async def test_what_is_waited_for_is_forgotten_when_it_is_turned_off_and_on(
    database: Database, books: SqlBooks, notices: SqlNotices, clock: Clock
) -> None:
    """The card was declined, and there is another one now. Another amount alone asks nobody twice."""
    admin = SqlAdmin(database)
    await wants_top_up(database, ANN, attempt_started_at=clock.now)
    await admin.set_top_up(ANN, TopUpChange(True, 30_000_000, None), clock.now, None)
    await use(books, "r1", 1, ANN)
    assert await notices.take(10) == ()
    await admin.set_top_up(ANN, TopUpChange(False, None, "declined"), clock.now, None)
    await use(books, "r2", 1, ANN)
    assert await notices.take(10) == ()
    await admin.set_top_up(ANN, TopUpChange(True, None, None), clock.now, None)
    await use(books, "r3", 1, ANN)
    assert [notice.payload["amount_microdollars"] for notice in await notices.take(10)] == [30_000_000]
