"""SnapshotStore, and one run of the sync on it: one transaction, the newest few kept, prices and endpoints with it."""

import asyncio
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from contract.commit_fault import CommitFault
from contract.scenario import START
from contract.test_catalog import NEW, OLD
from servers.feeds import Feeds, model
from tollway.admin import sync
from tollway.catalog.feed.payloads import Texts
from tollway.catalog.store import NewSnapshot
from tollway.storage.sql import snapshots as module
from tollway.storage.sql.catalog import SqlPrices
from tollway.storage.sql.database import Database
from tollway.storage.sql.endpoints import SqlEndpoints
from tollway.storage.sql.snapshot_tables import catalog_snapshots
from tollway.storage.sql.snapshots import KEPT, SqlSnapshots
from vectors.syncing import Deployment

TEXTS = Texts(b'{"b":1, "a":"\xc3\xa9"}', b"{}", None)


def new(minutes: int = 0, **changes: Any) -> NewSnapshot:
    given: dict[str, Any] = {"texts": TEXTS, "prices": (), "endpoints": None, **changes}
    return NewSnapshot(START + timedelta(minutes=minutes), **given)


async def ids(database: Database) -> list[int]:
    query = select(catalog_snapshots.c.id).order_by(catalog_snapshots.c.id)
    return await database.read(lambda connection: list(connection.execute(query).scalars()))


async def test_a_snapshot_survives_byte_for_byte(database: Database) -> None:
    store = SqlSnapshots(database)
    assert [await store.newest_id(), await store.newest_at(), await store.newest(), await store.previous()] == [
        None
    ] * 4
    id_ = await store.put(new())
    found = await store.newest()
    assert found
    assert (found.id, found.generated_at, found.texts) == (id_, START, TEXTS)
    assert (await store.newest_id(), await store.newest_at()) == (id_, START)


async def test_the_newest_few_stay_and_ids_only_grow(database: Database) -> None:
    store = SqlSnapshots(database)
    made = [await store.put(new(minute)) for minute in range(KEPT + 2)]
    assert made == sorted(set(made))
    assert await ids(database) == made[-KEPT:]
    previous = await store.previous()
    assert previous
    assert (previous.id, previous.generated_at) == (made[-2], START + timedelta(minutes=KEPT))


async def test_prices_and_endpoints_come_with_it(database: Database) -> None:
    prices, endpoints = SqlPrices(database), SqlEndpoints(database)
    store = SqlSnapshots(database)
    revision = await prices.revision()
    await store.put(new(prices=(OLD, NEW), endpoints={"a/b": ("x", "y")}))
    assert await prices.in_force(START) == (NEW,)
    assert await prices.revision() > revision
    revision = await prices.revision()
    await store.put(new(1))
    assert await endpoints.endpoints() == {"a/b": ("x", "y")}
    assert await prices.revision() == revision
    await store.put(new(2, endpoints={}))
    assert await endpoints.endpoints() == {}


@pytest.mark.parametrize("where", ["add_prices", "put_endpoints"])
async def test_a_run_that_dies_in_the_middle_leaves_everything_as_it_was(
    database: Database, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    store, prices = SqlSnapshots(database), SqlPrices(database)
    for minute in range(KEPT):
        await store.put(new(minute, endpoints={"a/b": ("x",)}))
    before = await ids(database)

    def die(*_: object) -> None:
        raise RuntimeError(where)

    with monkeypatch.context() as patched:
        patched.setattr(module, where, die)
        with pytest.raises(RuntimeError):
            await store.put(new(9, prices=(NEW,), endpoints={"c/d": ("y",)}))
    assert await ids(database) == before
    assert await SqlEndpoints(database).endpoints() == {"a/b": ("x",)}
    assert await prices.in_force(START) == ()


async def test_a_commit_that_is_lost_is_made_once(connect: Callable[..., Database]) -> None:
    database = connect()
    for minute, committed in ((0, True), (1, False)):
        with CommitFault(database, 1, committed=committed):
            made = await SqlSnapshots(database).put(new(minute, prices=(NEW,)))
        assert (await ids(database))[-1] == made
        assert len(await ids(database)) == minute + 1
    assert await SqlPrices(database).in_force(START) == (NEW,)


async def test_two_workers_run_once_together(
    connect: Callable[..., Database], url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sync, "LOCK_PAUSE_S", 0.001)
    database = connect()
    made = Deployment(tmp_path, Feeds(), url=url)
    runs = await asyncio.gather(*(made.run_in(database) for _ in range(3)))
    outcomes = sorted(run.outcome for run in runs)
    assert outcomes.count("stored") >= 1
    assert set(outcomes) <= {"running", "stored"}
    assert len(await ids(database)) == min(outcomes.count("stored"), KEPT)


async def test_a_synced_price_is_in_force_from_then_on(database: Database, url: str, tmp_path: Path) -> None:
    made = Deployment(tmp_path, Feeds(), url=url)
    assert (await made.run_in(database)).outcome == "stored"
    first = made.now()
    made.feeds.models[0] = model("vendor0/model-0", "0.000000000003")
    held = await made.run_in(database)
    assert held.outcome == "held"
    assert (await made.run_in(database, accept=True)).new_prices == 1
    prices = SqlPrices(database)
    for at, price in ((first, "0.000002"), (made.now(), "0.000000000003")):
        (row,) = [one for one in await prices.in_force(at) if one.model_id == "vendor0/model-0"]
        assert row.price.prompt_usd == Decimal(price)
    assert (await made.run_in(database)).new_prices == 0
