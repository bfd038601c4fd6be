"""Credits that expire: what is left is taken back, once, and the books still balance."""

import asyncio
from datetime import UTC, datetime

import pytest
from sqlalchemy import select

from contract.commit_fault import CommitFault
from contract.scenario import ACME, ANN, START, Clock, a_hold, outcome
from tollway.admin.records import CreditTransaction
from tollway.billing.ledger import BudgetRef
from tollway.money import Microdollars
from tollway.storage.sql.admin.store import SqlAdmin
from tollway.storage.sql.billing import SqlBooks
from tollway.storage.sql.books import verify_books
from tollway.storage.sql.credit_rows import book_credit
from tollway.storage.sql.database import Database
from tollway.storage.sql.entries import entries_of
from tollway.storage.sql.expiries import SqlExpiries
from tollway.storage.sql.tables import credit_transactions

APRIL = datetime(2026, 4, 1, tzinfo=UTC)
MAY = datetime(2026, 5, 1, tzinfo=UTC)


async def credit(
    database: Database, id_: str, amount: int, expires: datetime | None, account: BudgetRef = ANN, is_free: bool = True
) -> None:
    owner = "user_id" if account is ANN else "organization_id"
    row = {
        "id": id_,
        owner: account.owner,
        "amount_microdollars": amount,
        "is_free": is_free,
        "description": f"credit {id_}",
        "expiry_date": expires,
        "created_at": START,
    }
    await database.write(lambda connection: book_credit(connection, account, row))


async def use(books: SqlBooks, id_: str, amount: int, account: BudgetRef = ANN) -> None:
    await books.settle("w1", [outcome(a_hold(id_, 0, account, worst_case=amount), amount)])


@pytest.fixture
def expiries(database: Database, clock: Clock) -> SqlExpiries:
    return SqlExpiries(database, clock)


async def taken_back(database: Database) -> list[tuple[str, int]]:
    table = credit_transactions.c
    statement = (
        select(table.original_transaction_id, table.amount_microdollars)
        .where(table.credit_category == "credits_expired")
        .order_by(table.created_at, table.original_transaction_id)
    )
    return await database.read(lambda connection: [tuple(row) for row in connection.execute(statement)])


async def test_what_was_refunded_is_not_taken_back_as_well(
    database: Database, books: SqlBooks, expiries: SqlExpiries, clock: Clock
) -> None:
    await credit(database, "paid", 100, APRIL, is_free=False)
    await credit(database, "later", 60, APRIL)
    back = CreditTransaction("back", "ann", None, Microdollars(-130), False, None, None, None, START)
    assert await SqlAdmin(database).refund_credit(ANN, back) is not None
    clock.now = APRIL
    assert await expiries.expire() == 2
    assert await books.balance(ANN) == 0
    assert sum(amount for _, amount in await taken_back(database)) == -30
    assert await verify_books(database) == []


@pytest.mark.parametrize("account", [ANN, ACME], ids=["user", "organization"])
async def test_what_was_not_used_is_taken_back_once(
    database: Database, books: SqlBooks, expiries: SqlExpiries, clock: Clock, account: BudgetRef
) -> None:
    await credit(database, "a", 1_000, APRIL, account)
    await credit(database, "b", 500, None, account)
    await use(books, "r1", 300, account)
    clock.now = APRIL.replace(month=3, day=31)
    assert await expiries.expire() == 0
    clock.now = APRIL
    assert await expiries.expire() == 1
    assert await expiries.expire() == 0
    assert await taken_back(database) == [("a", -700)]
    assert await books.balance(account) == 500


async def test_the_entry_goes_back_to_where_it_came_from(
    database: Database, books: SqlBooks, expiries: SqlExpiries, clock: Clock
) -> None:
    await credit(database, "free", 10, APRIL)
    await credit(database, "paid", 20, APRIL, is_free=False)
    clock.now = APRIL
    assert await expiries.expire() == 2
    ids = select(credit_transactions.c.id, credit_transactions.c.original_transaction_id)
    found = await database.read(lambda connection: connection.execute(ids).all())
    id_of = {original: id_ for id_, original in found}
    for original, source in (("free", "system:grants"), ("paid", "system:payments")):
        (entry,) = await database.read(lambda connection, id_=id_of[original]: entries_of(connection, id_))
        assert (entry.kind, entry.debit, entry.credit) == ("expiry", "user:ann", source)
    assert await books.balance(ANN) == 0


async def test_what_was_used_up_leaves_no_row(
    database: Database, books: SqlBooks, expiries: SqlExpiries, clock: Clock
) -> None:
    await credit(database, "a", 1_000, APRIL)
    await use(books, "r1", 1_500)
    clock.now = APRIL
    assert await expiries.expire() == 1
    assert (await taken_back(database), await expiries.expire()) == ([], 0)


async def test_use_counts_for_one_credit_only(
    database: Database, books: SqlBooks, expiries: SqlExpiries, clock: Clock
) -> None:
    """V145 and V146 in the books: what the first was used for moves the baseline of the second."""
    await credit(database, "a", 5_000, APRIL)
    await use(books, "r1", 1_000)
    await credit(database, "b", 4_000, MAY)
    await use(books, "r2", 2_000)
    clock.now = APRIL
    assert await expiries.expire() == 1
    assert await taken_back(database) == [("a", -2_000)]
    clock.now = MAY
    assert await expiries.expire() == 1
    assert await taken_back(database) == [("a", -2_000), ("b", -4_000)]
    assert await books.balance(ANN) == 0


@pytest.mark.parametrize("committed", [True, False])
async def test_a_lost_acknowledgement_takes_back_once(
    database: Database, expiries: SqlExpiries, clock: Clock, committed: bool
) -> None:
    await credit(database, "a", 1_000, APRIL)
    clock.now = APRIL
    with CommitFault(database, 1, committed=committed):
        await expiries.expire()
    assert await taken_back(database) == [("a", -1_000)]


async def test_two_workers_take_back_once(database: Database, clock: Clock) -> None:
    for number in range(10):
        await credit(database, str(number), 100 + number, APRIL)
    clock.now = APRIL
    await asyncio.gather(*(SqlExpiries(database, clock).expire() for _ in range(4)))
    assert len(await taken_back(database)) == 10
