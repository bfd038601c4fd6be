"""What `tollway doctor` asks of the database and of Redis, each question bounded in time. It only reads."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from tollway.admin.findings import (
    Finding,
    State,
    failed,
    judge_catalog,
    judge_clock,
    judge_journals,
    judge_keys,
    judge_prices,
    judge_unkept_key,
    ok,
    warning,
)
from tollway.admin.master_keys import list_master_keys
from tollway.app import JOURNALS
from tollway.billing.store import StoreUnavailableError
from tollway.catalog_sync import is_synced
from tollway.cli.doctor_machine import CHECK_S, MASTER_KEY
from tollway.clock import unix_milliseconds, utc_now
from tollway.identity.master_keys import sealing_keys
from tollway.providers.feeds import gateway_places
from tollway.providers.registry import Upstream
from tollway.settings import Settings
from tollway.storage.journal.dead import journals_in, set_aside_in
from tollway.storage.redis.question import answers
from tollway.storage.sql.admin.secrets import SqlSecrets
from tollway.storage.sql.billing import SqlBooks
from tollway.storage.sql.catalog import SqlPrices
from tollway.storage.sql.database import Database, open_database
from tollway.storage.sql.database_clock import clock_of
from tollway.storage.sql.engine import parse_url
from tollway.storage.sql.schema import schema_is_current
from tollway.storage.sql.snapshots import SqlSnapshots

Look = Callable[[], Awaitable[list[Finding]]]


async def ask_stores(settings: Settings, upstreams: Mapping[str, Upstream]) -> list[Finding]:
    return [*await _ask_redis(settings), *await _ask_database(settings, upstreams)]


async def _ask_redis(settings: Settings) -> list[Finding]:
    address = settings.redis_address()
    if not address:
        return []

    async def look() -> list[Finding]:
        if await answers(address, CHECK_S / 2):
            return [ok("redis", "it answers")]
        return [warning("redis", "it does not answer: each worker gives away its part of a limit", "bring it back")]

    return await _within("redis", look)


async def _ask_database(settings: Settings, upstreams: Mapping[str, Upstream]) -> list[Finding]:
    missing = _missing_file(settings)
    if missing:
        return [failed("database", f"there is no file {missing}", "the first start makes it, or: tollway migrate")]
    database = open_database(settings.database_url, pool_size=1, pool_wait_s=CHECK_S, statement_timeout_s=CHECK_S)
    examined = _Examined(settings, upstreams, database)
    try:
        found = await _within("database", examined.schema)
        if all(one.state is State.OK for one in found):
            for check, look in examined.looks.items():
                found += await _within(check, look)
        return found
    finally:
        await database.close()


def _missing_file(settings: Settings) -> str | None:
    """Of SQLite, which would make it when it is opened."""
    url = parse_url(settings.database_url)
    is_missing = url.get_backend_name() == "sqlite" and not Path(str(url.database)).is_file()
    return url.database if is_missing else None


async def _within(check: str, look: Look) -> list[Finding]:
    try:
        async with asyncio.timeout(CHECK_S):
            return await look()
    except TimeoutError:
        return [failed(check, f"no answer within {CHECK_S:.0f} s", "look whether it is overloaded")]
    except (StoreUnavailableError, OSError) as error:
        return [failed(check, str(error), "look whether it runs, and whether its address and password are right")]


@dataclass(frozen=True)
class _Examined:
    """A database that may be there."""

    settings: Settings
    upstreams: Mapping[str, Upstream]
    database: Database

    @property
    def looks(self) -> Mapping[str, Look]:
        return {
            "clock": self.clock,
            "master keys": self.master_keys,
            "prices": self.prices,
            "catalog": self.catalog,
            "journals": self.journals,
        }

    async def schema(self) -> list[Finding]:
        if await schema_is_current(self.database):
            return [ok("database", "it answers, and its schema is current")]
        todo = "tollway migrate (serving does it too, unless migrate_on_start = false)"
        return [failed("database", "its schema is not the one of this version", todo)]

    async def clock(self) -> list[Finding]:
        ask = clock_of(self.database)
        return [judge_clock((unix_milliseconds() * 1_000_000 - await ask()) / 1e9)] if ask else []

    async def master_keys(self) -> list[Finding]:
        settings, store = self.settings, SqlSecrets(self.database)
        is_kept = (settings.state_dir / MASTER_KEY).exists()
        if not (settings.master_keys or settings.master_keys_file or is_kept):  # reading it would make one
            return [judge_unkept_key(sum((await store.uses()).secrets.values()))]
        return judge_keys(await list_master_keys(store, sealing_keys(settings)))

    async def prices(self) -> list[Finding]:
        return [judge_prices(len(await SqlPrices(self.database).in_force(utc_now())))]

    async def catalog(self) -> list[Finding]:
        is_on = is_synced(self.settings, gateway_places(self.upstreams))
        newest = await SqlSnapshots(self.database).newest_at() if is_on else None
        return [judge_catalog(is_on, newest, utc_now(), self.settings.catalog.stale_s)]

    async def journals(self) -> list[Finding]:
        root = self.settings.state_dir / JOURNALS
        return judge_journals(journals_in(root), await SqlBooks(self.database).silent_workers(), set_aside_in(root))
