"""Books with one of everything, and every kind of damage that verification knows."""

from collections.abc import Mapping
from functools import partial
from typing import Final

from sqlalchemy import Connection, text

from contract.scenario import ANN, START, a_hold, order, outcome, top_up
from tollway.billing.ledger import Correction
from tollway.storage.sql.billing import SqlBooks
from tollway.storage.sql.database import Database

DAMAGE: Final[Mapping[str, str]] = {
    "charged": "UPDATE budgets SET spent_microdollars = spent_microdollars + 1 WHERE id = 'user:ann'",
    "credited": "UPDATE budgets SET limit_microdollars = limit_microdollars - 1 WHERE id = 'user:ann'",
    "held": "UPDATE leases SET amount_microdollars = 7",
    "spent": "UPDATE budgets SET spent_microdollars = 151 WHERE id = 'user:ann'",
    "missing budget": "DELETE FROM leases; DELETE FROM budgets WHERE id = 'user:ann'",
    "usage charge": "UPDATE usage SET cost_microdollars = 149",
    "usage absorbed": "UPDATE usage SET absorbed_microdollars = 1",
    "usage correction": "UPDATE usage SET corrected_microdollars = 30",
    "usage absorbed_correction": "UPDATE usage SET corrected_absorbed_microdollars = 5",
    "charge without usage": "DELETE FROM usage",
    "correction without usage": "DELETE FROM usage",
    "usage without metadata": "DELETE FROM usage_metadata",
    "unknown account": "DELETE FROM ledger_accounts WHERE id = 'user:ann'",
    "credit transactions": "DELETE FROM credit_transactions",
    "lease of an ended worker": "UPDATE workers SET ended_at = started_at",
    "partly covered by a settled request": "UPDATE budgets SET partly_covered_request = 'r1',"
    " partly_covered_worker = 'w1'",
}


async def one_charge(database: Database, books: SqlBooks) -> None:
    """Ann has 1,000 and pays 150 for request r1; worker w1 still leases 250."""
    await top_up(database, ANN, 1000)
    await books.lease(order("r1", 400))
    await books.settle("w1", [outcome(a_hold("r1", 400), 150)])


async def books_with_a_correction(database: Database) -> None:
    """The same, and r1 was corrected."""
    books = SqlBooks(database, lambda: START)
    await books.enlist("w1", "node")
    await one_charge(database, books)
    await books.correct("r1", Correction(-30, 4))


async def plant(database: Database, check: str) -> None:
    """Damage that verification must report as `check`."""
    for statement in DAMAGE[check].split("; "):
        await database.write(partial(Connection.execute, statement=text(statement)))
