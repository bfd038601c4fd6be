import asyncio
from datetime import UTC, datetime, timedelta, timezone

import pytest

from servers.feeds import FakeSources, model
from tollway.admin import sync
from tollway.admin.sync import SyncResult, iso
from tollway.catalog.feed.payloads import Texts
from tollway.catalog.store import NewSnapshot
from unit.admin.fake_sync import START, Mirror, World

ID = "vendor0/model-0"


def run(world: World, *, accept: bool = False) -> SyncResult:
    return asyncio.run(world.sync.run(world.told.append, accept=accept))


def test_a_run_stores_one_snapshot_with_its_prices_and_endpoints() -> None:
    world = World(Mirror())
    world.feeds.tags["vendor/model-1"] = ["a", "b"]
    result = run(world)
    (new,) = world.snapshots.put_in
    assert (result.outcome, result.snapshot_id, result.new_prices) == ("stored", 1, 120)
    assert result.models == {"openrouter": 120, "vercel": 120}
    assert len(new.prices) == 120
    assert new.endpoints is not None
    assert new.endpoints["vendor/model-1"] == ("a", "b")
    assert result.generated_at == iso(new.generated_at)
    assert world.mirror
    assert world.mirror.holds == world.snapshots.kept[0]
    assert world.mirror.public
    assert result.is_mirrored is True
    assert not world.lock.ours


def test_a_second_run_adds_only_prices_that_changed() -> None:
    world = World()
    run(world)
    world.feeds.models[0] = model(ID, "0.000003")
    result = run(world)
    assert result.is_mirrored is None
    assert [row.model_id for row in world.snapshots.put_in[1].prices] == [ID]
    assert [one.now for one in result.changes.prices] == ["0.000003"]
    assert run(world).new_prices == 0


def test_without_a_key_for_the_second_gateway_its_endpoints_stay() -> None:
    world = World()
    world.sync = world.made(sources=FakeSources(world.feeds, "openrouter"))
    run(world)
    assert world.snapshots.put_in[0].endpoints is None


def test_what_is_held_is_not_written_and_says_what_it_would_change() -> None:
    world = World(Mirror())
    run(world)
    world.feeds.models[0] = model(ID, "0.00002")
    held = run(world)
    assert (held.outcome, held.reasons) == ("held", (f"{ID}: prompt 0.000002 → 0.00002 USD",))
    assert len(held.changes.prices) == 1
    assert (len(world.snapshots.kept), held.snapshot_id) == (1, None)
    assert run(world, accept=True).outcome == "stored"
    assert run(world).outcome == "stored"


def test_what_is_too_little_cannot_even_be_accepted() -> None:
    world = World()
    del world.feeds.vercel[99:]
    failed = run(world, accept=True)
    assert (failed.outcome, world.snapshots.kept) == ("failed", [])
    assert failed.reasons == ("Suspicious: total number of vercel models is 99 < 100",)


def test_a_source_that_is_away_fails_the_run_and_writes_nothing() -> None:
    world = World()
    world.feeds.says["site", "/all-providers"] = (503, b"")
    failed = run(world)
    assert (failed.outcome, failed.reasons) == ("failed", ("site /all-providers: status 503",))
    assert world.snapshots.kept == []
    assert not world.lock.ours


def test_a_run_has_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    class Hanging(FakeSources):
        async def get(self, where: str, path: str, retries: int = 2) -> bytes | None:
            await asyncio.sleep(60)
            return None

    monkeypatch.setattr(sync, "RUN_S", 0.05)
    world = World()
    world.sync = world.made(sources=Hanging(world.feeds))
    assert run(world).reasons == ("it was not done within 0.05 s",)
    assert not world.lock.ours


def test_where_another_run_is_under_way_it_ends_quietly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sync, "LOCK_PAUSE_S", 0)
    world = World()
    world.lock.is_held = True
    assert run(world) == SyncResult("running")
    assert (world.lock.tries, world.feeds.asked) == (sync.LOCK_TRIES + 1, [])
    assert asyncio.run(world.sync.roll_back(world.told.append)) == SyncResult("running")


def test_a_mirror_that_is_away_is_told_of_and_no_more() -> None:
    mirror = Mirror()
    mirror.is_away = True
    world = World(mirror)
    result = run(world)
    assert (result.outcome, result.is_mirrored) == ("stored", False)
    assert world.told[-1] == "the mirror in Redis was not written: away"


def test_a_stored_snapshot_that_cannot_be_read_is_as_good_as_none() -> None:
    world = World()
    asyncio.run(world.snapshots.put(NewSnapshot(START, Texts(b"{}", None, None), (), None)))
    assert run(world).outcome == "stored"
    assert any("cannot be read" in line for line in world.told)


def test_the_snapshot_before_comes_back_under_a_new_id_with_its_prices() -> None:
    world = World(Mirror())
    run(world)
    world.feeds.models[0] = model(ID, "0.000003")
    run(world)
    result = asyncio.run(world.sync.roll_back(world.told.append))
    assert (result.outcome, result.snapshot_id, result.new_prices) == ("stored", 3, 1)
    assert world.snapshots.kept[2].texts == world.snapshots.kept[0].texts
    assert world.mirror
    assert world.mirror.holds == world.snapshots.kept[2]


def test_there_may_be_nothing_to_bring_back() -> None:
    world = World()
    run(world)
    result = asyncio.run(world.sync.roll_back(world.told.append))
    assert (result.outcome, result.reasons) == ("failed", ("there is no snapshot before the newest one",))
    asyncio.run(world.snapshots.put(NewSnapshot(START, Texts(b"{}", None, None), (), None)))
    run(world)
    assert asyncio.run(world.sync.roll_back(world.told.append)).outcome == "failed"


def test_instants_are_those_of_the_wire() -> None:
    at = datetime(2026, 1, 2, 3, 4, 5, 678_900, tzinfo=timezone(timedelta(hours=1)))
    assert iso(at) == "2026-01-02T02:04:05.678Z"
    assert iso(START.astimezone(UTC)) == "2026-11-20T12:00:00.000Z"
