"""What the database itself refuses, and what verification finds."""

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError, IntegrityError

from contract.scenario import ACME, ANN, START, a_hold, order, outcome, top_up
from tollway.storage.sql.books import Difference, verify_books
from tollway.storage.sql.database import Database, open_database
from tollway.storage.sql.funds import SqlFunds

FORBIDDEN = {
    "update": "UPDATE ledger_entries SET amount_microdollars = 1",
    "delete": "DELETE FROM ledger_entries",
    "truncate": "TRUNCATE ledger_entries",
    "replace": "INSERT OR REPLACE INTO ledger_entries SELECT * FROM ledger_entries",
    "replace by request": "INSERT OR REPLACE INTO ledger_entries "
    "SELECT id || 'x', request_id, kind, debit_account, credit_account, 1, memo, created_at FROM ledger_entries",
}
DIALECTS = {"truncate": "postgresql", "replace": "sqlite", "replace by request": "sqlite"}


@pytest.mark.parametrize("name", FORBIDDEN)
async def test_entries_cannot_be_changed(database: Database, funds: SqlFunds, name: str) -> None:
    if DIALECTS.get(name, database.dialect) != database.dialect:
        return  # the other database has no such statement
    await _one_charge(database, funds)
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
async def test_entries_that_make_no_sense_are_refused(database: Database, funds: SqlFunds, name: str) -> None:
    await _one_charge(database, funds)
    with pytest.raises(IntegrityError):
        await _insert_entry(database, *BROKEN[name])


DAMAGE = {
    "charged": "UPDATE budgets SET spent_microdollars = spent_microdollars + 1 WHERE id = 'user:ann'",
    "credited": "UPDATE budgets SET limit_microdollars = limit_microdollars - 1 WHERE id = 'user:ann'",
    "held": "UPDATE budgets SET held_microdollars = 7 WHERE id = 'user:ann'",
    "spent": "UPDATE budgets SET spent_microdollars = 151 WHERE id = 'user:ann'",
    "missing budget": "DELETE FROM budgets WHERE id = 'user:ann'",
    "usage charge": "UPDATE usage SET cost_microdollars = 149",
    "usage absorbed": "UPDATE usage SET absorbed_microdollars = 1",
    "charge without usage": "DELETE FROM usage",
    "usage without metadata": "DELETE FROM usage_metadata",
    "unknown account": "DELETE FROM ledger_accounts WHERE id = 'user:ann'",
    "credit transactions": "DELETE FROM credit_transactions",
}


@pytest.mark.parametrize("check", DAMAGE)
async def test_damage_is_found(url: str, check: str) -> None:
    database = open_database(url)
    await _one_charge(database, SqlFunds(database, lambda: START))
    assert await verify_books(database) == []
    await _execute(database, DAMAGE[check])
    assert check in {difference.check for difference in await verify_books(database)}
    await database.close()


async def test_a_hold_of_a_settled_request_is_found(url: str) -> None:
    database = open_database(url)
    funds = SqlFunds(database, lambda: START)
    await _one_charge(database, funds)
    await funds.hold(order("r2", 10))
    await _execute(database, "UPDATE holds SET request_id = 'r1'")
    assert await verify_books(database) == [Difference("hold of a settled request", "r1", 0, 1)]
    await database.close()


async def test_the_database_keeps_what_is_held_from_going_below_zero(database: Database) -> None:
    await top_up(database, ACME, 1000)
    with pytest.raises(IntegrityError):
        await _execute(database, "UPDATE budgets SET held_microdollars = -1")


async def _one_charge(database: Database, funds: SqlFunds) -> None:
    await top_up(database, ANN, 1000)
    await funds.hold(order("r1", 400))
    await funds.close(outcome(a_hold("r1", 400), 150))


async def _insert_entry(database: Database, request_id: str, kind: str, debit: str, credit: str, amount: int) -> None:
    statement = (
        "INSERT INTO ledger_entries (id, request_id, kind, debit_account, credit_account, amount_microdollars,"
        f" created_at) SELECT '{request_id}:{kind}:new', '{request_id}', '{kind}', '{debit}', '{credit}', {amount},"
        " created_at FROM ledger_accounts WHERE id = 'system:revenue'"
    )
    await _execute(database, statement)


async def _execute(database: Database, statement: str) -> None:
    await database.write(lambda connection: connection.execute(text(statement)))
