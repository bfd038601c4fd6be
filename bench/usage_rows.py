"""How long the views of usage take over many rows: `python bench/usage_rows.py [--rows 1e6] [--url …] [--plans]`.

Starts a PostgreSQL of its own with that server's default settings, fills it (`usage_fill.py`) and runs what the program
runs: each view once to warm up, then five times, the median told. `--plans` shows how the server went about it. With
`--url` the database there is used, and filled if it has no usage; it is left as it is.
"""

import argparse
import asyncio
import os
import resource
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median
from typing import Any, Final

import psycopg
from sqlalchemy import event
from usage_fill import DAYS, HOT, RARE_MODEL, fill

from tollway.admin.usage import Grouping, UsageFilter, csv_pages, first_id
from tollway.storage.migrations.run import migrate
from tollway.storage.sql.admin.erased_usage import forget_particulars, shared_origins
from tollway.storage.sql.admin.usage import SqlUsageListing
from tollway.storage.sql.billing import SqlBooks
from tollway.storage.sql.books import verify_books
from tollway.storage.sql.database import Database, open_database
from tollway.storage.sql.explanation import explain
from tollway.storage.sql.first_usages import SqlFirstUsages
from tollway.storage.sql.usage_sums import sum_up

RUNS: Final = 5
TIMEOUT_S: Final = 600.0
View = Callable[[], Awaitable[object]]


@dataclass(slots=True)
class Watched:
    """The statements that a view sent, with their values."""

    seen: list[tuple[str, Any]] = field(default_factory=list)

    def listen(self, database: Database) -> None:
        @event.listens_for(database._writer.engine, "before_cursor_execute")
        def note(_c: Any, _cursor: Any, statement: str, values: Any, _x: Any, _m: Any) -> None:
            self.seen.append((statement, values))


@contextmanager
def a_server() -> Iterator[str]:
    sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))
    from servers.postgres import running  # a server as the tests have it

    with running(f"bench-{os.getpid()}") as server:
        with psycopg.connect(server.url("postgres"), autocommit=True) as connection:
            connection.execute("ALTER SYSTEM SET max_wal_size = '8GB'")
            connection.execute("SELECT pg_reload_conf()")
            connection.execute("CREATE DATABASE bench")
        print(server.description)
        yield server.url("bench")


def has_usage(url: str) -> bool:
    with psycopg.connect(url) as connection:
        return connection.execute("SELECT 1 FROM usage LIMIT 1").fetchone() is not None


def sizes(url: str) -> str:
    names = ("usage", "usage_metadata", "ledger_entries", "usage_days", "usage_key_days", "usage_model_days")
    query = "SELECT pg_size_pretty(pg_total_relation_size(%s)), pg_size_pretty(pg_indexes_size(%s))"
    with psycopg.connect(url) as connection:
        told = [(name, *connection.execute(query, (name, name)).fetchone()) for name in names]
    return "; ".join(f"{name} {whole}, of it indexes {part}" for name, whole, part in told)


class Views:
    """Each reader of usage, as the program calls it."""

    def __init__(self, database: Database, until: datetime) -> None:
        self.database, self.until = database, until
        self.listing = SqlUsageListing(database)

    def filter(self, days: int, **what: Any) -> UsageFilter:
        what = what or {"organization_id": HOT}
        return UsageFilter(self.until - timedelta(days=days), self.until, **what)

    def page(self, days: int, before: str | None = None, **what: Any) -> View:
        return lambda: self.listing.list_usage(self.filter(days, **what), 100, before)

    def groups(self, days: int, *by: Grouping, **what: Any) -> View:
        return lambda: self.listing.sum_usage(self.filter(days, **what), by, 100, 0)

    def all(self) -> dict[str, View]:
        hot, user, old = {"organization_id": HOT}, {"user_id": "user-1400", "is_personal": True}, DAYS - 40
        half = first_id(self.until - timedelta(days=180))
        day, model, member, key = Grouping.DAY, Grouping.MODEL, Grouping.MEMBER, Grouping.KEY
        first_usages, books = SqlFirstUsages(self.database), SqlBooks(self.database)
        return {
            "page, organization, 30 days": self.page(30),
            "page, organization, 360 days, from the middle": self.page(old, half),
            "page, organization, 360 days, a common model": self.page(old, half, **hot, model="vendor/model-7"),
            "page, organization, 360 days, a rare model": self.page(old, **hot, model=RARE_MODEL),
            "page, organization, 360 days, an unknown model": self.page(old, **hot, model="no/model"),
            "page, organization, 360 days, one member": self.page(old, half, **hot, user_id="user-290"),
            "page, organization, 360 days, one key": self.page(old, half, **hot, key_id="key-290-1"),
            "page, one user, 360 days": self.page(old, half, **user),
            "sums by day, organization, 30 days": self.groups(30, day),
            "sums by day, organization, 360 days": self.groups(old, day),
            "sums by model, organization, 30 days": self.groups(30, model),
            "sums by model, organization, 360 days": self.groups(old, model),
            "sums by member, organization, 360 days": self.groups(old, member),
            "sums by key, organization, 360 days": self.groups(old, key),
            "sums by day and model, organization, 360 days": self.groups(old, day, model),
            "sums by member and model, organization, 30 days": self.groups(30, member, model),
            "sums by member and model, organization, 360 days": self.groups(old, member, model),
            "sums by day, rare model, 360 days": self.groups(old, day, **hot, model=RARE_MODEL),
            "sums by day, one user, 30 days (account page)": self.groups(30, day, **user),
            "sums by day and model, one user, 360 days": self.groups(old, day, model, **user),
            "explain one request": self.explain,
            "estimates to look up": lambda: books.uncertain(self.until, 100, ["openrouter"]),
            "estimates nobody looks up": lambda: books.unasked(["openrouter"]),
            "first request of 3 users": lambda: first_usages._earliest({"user-1", "user-1999", "nobody"}),
            "erasure of a user's particulars": self.erase,
        }

    async def explain(self) -> object:
        (row,) = await self.listing.list_usage(self.filter(30), 1, None)
        return await explain(self.database, row.id)

    async def erase(self) -> None:
        shared = await shared_origins(self.database, "user-1399")

        def work(connection: Any) -> None:
            forget_particulars(connection, "user-1399", shared)
            connection.rollback()

        await self.database.write(work)


async def measure(views: dict[str, View], watched: Watched, database: Database, with_plans: bool) -> None:
    for name, view in views.items():
        await view()
        took = []
        for _ in range(RUNS):
            watched.seen.clear()
            begun = time.perf_counter()
            await view()
            took.append((time.perf_counter() - begun) * 1000)
        print(f"| {name} | {median(took):.1f} ms |", flush=True)
        if with_plans:
            for statement, values in list(watched.seen):
                print(await database.read(lambda c, s=statement, v=values: plan(c, s, v)), flush=True)


def plan(connection: Any, statement: str, values: Any) -> str:
    if not statement.lstrip().upper().startswith(("SELECT", "WITH")):
        return f"    {statement.splitlines()[0]} …"
    rows = connection.exec_driver_sql(f"EXPLAIN (ANALYZE, BUFFERS, COSTS OFF) {statement}", values)
    return "\n".join(f"    {row[0]}" for row in rows)


async def export(listing: SqlUsageListing, wanted: UsageFilter) -> None:
    begun, lines = time.perf_counter(), 0
    async for piece in csv_pages(listing, wanted, None):
        lines += piece.count("\n")
    took, kib = time.perf_counter() - begun, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(
        f"| CSV of {lines - 1:,} rows, organization, 30 days | {took:.1f} s, {kib / 1024:.0f} MiB at most |", flush=True
    )


async def run(url: str, arguments: argparse.Namespace) -> None:
    database = open_database(url, pool_size=2, statement_timeout_s=TIMEOUT_S)
    watched = Watched()
    watched.listen(database)
    with psycopg.connect(url) as connection:
        ((until,),) = connection.execute("SELECT max(created_at) FROM usage").fetchall()
    views = Views(database, until.astimezone(UTC) + timedelta(seconds=1))
    chosen = {name: view for name, view in views.all().items() if arguments.only in name}
    print("| view | p50 of 5, warm |\n|---|---|")
    try:
        await measure(chosen, watched, database, arguments.plans)
        if not arguments.only:
            await export(views.listing, views.filter(30))
            begun = time.perf_counter()
            differences = await verify_books(database)
            print(f"| ledger verify ({len(differences)} differences) | {time.perf_counter() - begun:.1f} s |")
    finally:
        await database.close()


async def sum_all(url: str) -> None:
    database = open_database(url, pool_size=2)
    begun = time.perf_counter()
    try:
        steps = await sum_up(database, datetime.now(UTC))
    finally:
        await database.close()
    print(f"summed by day in {time.perf_counter() - begun:.0f} s, {steps} transactions", flush=True)


def bench(url: str, arguments: argparse.Namespace) -> None:
    migrate(url)
    if not has_usage(url):
        for step, seconds in fill(url, int(arguments.rows)).steps:
            print(f"filled in {seconds:.0f} s: {step}", flush=True)
    asyncio.run(sum_all(url))
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("VACUUM ANALYZE usage_days")
    print(sizes(url), flush=True)
    asyncio.run(run(url, arguments))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=float, default=1e7)
    parser.add_argument("--url")
    parser.add_argument("--plans", action="store_true")
    parser.add_argument("--only", default="", help="views whose name has this in it")
    arguments = parser.parse_args()
    if arguments.url:
        bench(arguments.url, arguments)
        return
    with a_server() as url:
        bench(url, arguments)


if __name__ == "__main__":
    main()
