"""What settling costs: `python bench/settlement.py [database url] [--accounts 1] [--batch 500]`.

Process CPU per settled request, everything included: building the rows, the statements, the commit. The database is a
SQLite file in a temporary folder, or the one of the URL, which must be empty or migrated and is left full of rows.
"""

import argparse
import asyncio
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from statistics import median

from tollway.billing.ledger import Basis, BudgetKind, BudgetRef, Hold, HoldPolicy, Outcome, UsageRecord
from tollway.billing.particulars import Origin, Particulars, encode_origin
from tollway.billing.store import Ask, LeaseOrder
from tollway.ids import new_id, new_request_id
from tollway.money import Microdollars
from tollway.storage.migrations.run import migrate
from tollway.storage.sql import budgets
from tollway.storage.sql.billing import SqlBooks
from tollway.storage.sql.database import Database, open_database
from tollway.wire.usage import Usage

ORIGINS = [encode_origin(Origin("cli", "code", user_agent=f"Agent/{number}")) for number in range(20)]
CREDIT, WORST_CASE, CHARGE = 10**12, 4000, 150


def outcome(user: str, number: int) -> Outcome:
    now = datetime.now(UTC)
    worst_case = Microdollars(WORST_CASE)
    hold = Hold(new_request_id(), worst_case, (BudgetRef(BudgetKind.USER, user),), (worst_case,), now.date())
    record = UsageRecord(
        user_id=user,
        organization_id=None,
        key_id=f"key-{user}",
        provider_id="openrouter",
        requested_model="vendor/model",
        model="vendor/model",
        upstream_model="vendor/model-2026-01-01",
        inference_provider="Vendor",
        message_id=f"gen-{number:020d}",
        finish_reason="stop",
        status_code=200,
        streamed=True,
        has_error=False,
        cancelled=False,
        price_version="openrouter/vendor/model@2026-01-01",
        prompt_usd=Decimal("0.000000125"),
        completion_usd=Decimal("0.00000150"),
        route=("openrouter/vendor/model-2026-01-01",),
        attempts=("openrouter:200",),
        prompt_tokens_max=1200,
        completion_tokens_max=4096,
        latency_ms=1234,
        created_at=now,
        particulars=Particulars(ORIGINS[number % len(ORIGINS)], session_id=f"session-{number // 20}", max_tokens=4096),
    )
    charge = Microdollars(CHARGE)
    usage = Usage(1000, 200, cached_tokens=600)
    return Outcome(hold, usage, Basis.REPORTED, charge, Microdollars(0), charge, charge, charge, record)


async def prepare(database: Database, books: SqlBooks, worker: str, users: list[str]) -> None:
    now = datetime.now(UTC)
    await books.enlist(worker, "bench")
    for user in users:
        ref = BudgetRef(BudgetKind.USER, user)
        await database.write(lambda connection, ref=ref: budgets.credit(connection, ref, CREDIT, now))
        ask = Ask(ref, Microdollars(CREDIT // 2), Microdollars(0))
        await books.lease(LeaseOrder(worker, user, (ask,), HoldPolicy.STRICT, 1, True))


async def measure(database: Database, batch: int, accounts: int, batches: int) -> Iterator[tuple[float, float]]:
    books, worker, users = SqlBooks(database), new_id(), [new_id() for _ in range(accounts)]
    await prepare(database, books, worker, users)
    costs = []
    for _ in range(batches):
        outcomes = [outcome(users[number % accounts], number) for number in range(batch)]
        cpu, wall = time.process_time(), time.perf_counter()
        await books.settle(worker, outcomes)
        costs.append(((time.process_time() - cpu) / batch * 1e6, (time.perf_counter() - wall) / batch * 1e6))
    return costs


async def run(url: str, arguments: argparse.Namespace) -> None:
    database = open_database(url)
    try:
        costs = await measure(database, arguments.batch, arguments.accounts, arguments.batches)
    finally:
        await database.close()
    cpu, wall = ([pair[place] for pair in costs[2:]] for place in (0, 1))
    print(
        f"{database.dialect}, batches of {arguments.batch} requests of {arguments.accounts} accounts: "
        f"{median(cpu):.1f} µs CPU per request ({min(cpu):.1f} at best, {sum(cpu) / len(cpu):.1f} on average), "
        f"{median(wall):.1f} µs on the clock"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("url", nargs="?")
    parser.add_argument("--batch", type=int, default=500)
    parser.add_argument("--accounts", type=int, default=1)
    parser.add_argument("--batches", type=int, default=60)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        url = arguments.url or f"sqlite:///{Path(folder) / 'bench.db'}"
        migrate(url)
        asyncio.run(run(url, arguments))


if __name__ == "__main__":
    main()
