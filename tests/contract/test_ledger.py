"""What the database itself refuses, and what verification finds."""

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError, IntegrityError

from contract.damage import DAMAGE, books_with_a_correction, one_charge, plant
from contract.scenario import ACME, ANN, BOB, START, Clock, a_hold, outcome, top_up
from tollway.billing.ledger import ABSORBED, GRANTS, REVENUE, Correction
from tollway.storage.sql.billing import SqlBooks
from tollway.storage.sql.books import Difference, verify_books
from tollway.storage.sql.database import Database, open_database
from tollway.storage.sql.entries import Entry, entries_of

FORBIDDEN = {
    "update": "UPDATE ledger_entries SET amount_microdollars = 1",
    "delete": "DELETE FROM ledger_entries",
    "truncate": "TRUNCATE ledger_entries",
    "replace": "INSERT OR REPLACE INTO ledger_entries SELECT * FROM ledger_entries",
    "replace the amount": "INSERT OR REPLACE INTO ledger_entries "
    "SELECT source_id, kind, debit_account, credit_account, 1, memo, created_at FROM ledger_entries",
}
DIALECTS = {"truncate": "postgresql", "replace": "sqlite", "replace the amount": "sqlite"}


@pytest.mark.parametrize("name", FORBIDDEN)
async def test_entries_cannot_be_changed(database: Database, books: SqlBooks, name: str) -> None:
    if DIALECTS.get(name, database.dialect) != database.dialect:
        return  # the other database has no such statement
    await one_charge(database, books)
    with pytest.raises(DBAPIError, match="immutable"):
        await _execute(database, FORBIDDEN[name])


BROKEN = {
    "a second charge": ("r1", "charge", "user:ann", "system:revenue", 5),
    "nothing": ("r2", "charge", "user:ann", "system:revenue", 0),
    "a negative amount": ("r2", "charge", "user:ann", "system:revenue", -5),
    "onto itself": ("r2", "charge", "user:ann", "user:ann", 5),
    "an unknown kind": ("r2", "gift", "user:ann", "system:revenue", 5),
}


@pytest.mark.parametrize("name", BROKEN)
async def test_entries_that_make_no_sense_are_refused(database: Database, books: SqlBooks, name: str) -> None:
    await one_charge(database, books)
    with pytest.raises(IntegrityError):
        await _insert_entry(database, *BROKEN[name])


@pytest.mark.parametrize("check", DAMAGE)
async def test_damage_is_found(url: str, check: str) -> None:
    database = open_database(url)
    await books_with_a_correction(database)
    assert await verify_books(database) == []
    await plant(database, check)
    found = await verify_books(database)
    assert check in {difference.check for difference in found}
    await database.close()


async def test_a_difference_tells_both_figures(url: str) -> None:
    database = open_database(url)
    books = SqlBooks(database, lambda: START)
    await books.enlist("w1", "node")
    await one_charge(database, books)
    await _execute(database, "UPDATE workers SET ended_at = started_at")
    await _execute(database, "UPDATE budgets SET held_microdollars = 7")
    assert await verify_books(database) == [
        Difference("held", "user:ann", 250, 7),
        Difference("lease of an ended worker", "w1 user:ann", 0, 250),
    ]
    await database.close()


async def test_the_entries_of_one_request_or_credit_are_told_in_order(
    database: Database, books: SqlBooks, clock: Clock
) -> None:
    await top_up(database, ANN, 1000)
    await books.settle("w1", [outcome(a_hold("r1", 0), 150, 9), outcome(a_hold("r2", 0), 5)])
    clock.advance(minutes=1)
    await books.correct("r1", Correction(-30, 4))

    async def told(source_id: str) -> tuple[Entry, ...]:
        return await database.read(lambda connection: entries_of(connection, source_id))

    assert await told("r1") == (
        Entry("absorbed", ABSORBED, REVENUE, 9, START),
        Entry("charge", ANN.id, REVENUE, 150, START),
        Entry("absorbed_correction", ABSORBED, REVENUE, 4, clock.now),
        Entry("correction", REVENUE, ANN.id, 30, clock.now),
    )
    assert await told("r2") == (Entry("charge", ANN.id, REVENUE, 5, START),)
    assert await told("user:ann-first") == (Entry("grant", GRANTS, ANN.id, 1000, START),)
    assert await told("r") == await told("") == ()


async def test_a_request_whose_usage_row_is_lost_is_not_charged_twice(url: str) -> None:
    """Nothing tells the program that it was settled; the key of the entries refuses the second charge."""
    database = open_database(url)
    books = SqlBooks(database, lambda: START)
    await books.enlist("w1", "node")
    await one_charge(database, books)
    await _execute(database, "DELETE FROM usage")
    for charge, *refs in ((150,), (6, BOB)):
        with pytest.raises(IntegrityError):
            await books.settle("w1", [outcome(a_hold("r1", 0, *refs), charge)])
    await database.close()


async def test_the_database_keeps_what_is_held_from_going_below_zero(database: Database) -> None:
    await top_up(database, ACME, 1000)
    with pytest.raises(IntegrityError):
        await _execute(database, "UPDATE budgets SET held_microdollars = -1")


async def _insert_entry(database: Database, source_id: str, kind: str, debit: str, credit: str, amount: int) -> None:
    statement = (
        "INSERT INTO ledger_entries (source_id, kind, debit_account, credit_account, amount_microdollars, created_at)"
        f" SELECT '{source_id}', '{kind}', '{debit}', '{credit}', {amount}, created_at FROM ledger_accounts"
        " WHERE id = 'system:revenue'"
    )
    await _execute(database, statement)


async def _execute(database: Database, statement: str) -> None:
    await database.write(lambda connection: connection.execute(text(statement)))
