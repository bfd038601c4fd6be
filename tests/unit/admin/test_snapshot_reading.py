import asyncio
import json
from typing import Any

import pytest
from msgspec import structs

from servers.feeds import Feeds, provider
from tollway.admin.snapshot_reading import SnapshotReader, Synced, synced_of
from tollway.billing.store import StoreUnavailableError
from tollway.catalog.feed.payloads import Texts, write_payloads
from tollway.catalog.feed.reading import FeedError
from tollway.catalog.store import StoredSnapshot
from unit.admin.fake_sync import START, Mirror, Snapshots
from unit.catalog.feed.test_guards import BEFORE, ID, repriced
from unit.catalog.feed.test_payloads import payloads

TEXTS = write_payloads(BEFORE)


def stored(id_: int, texts: Texts = TEXTS) -> StoredSnapshot:
    return StoredSnapshot(id_, START, texts)


class Store(Snapshots):
    """One that can be away, and counts how often it is asked for everything."""

    def __init__(self, *kept: StoredSnapshot) -> None:
        super().__init__()
        self.kept = list(kept)
        self.is_away = False
        self.asked = 0
        self.read = 0

    async def newest_id(self) -> int | None:
        self.asked += 1
        if self.is_away:
            raise StoreUnavailableError("away")
        return await super().newest_id()

    async def newest(self) -> StoredSnapshot | None:
        self.read += 1
        return await super().newest()


class World:
    def __init__(self, store: Store, mirror: Mirror | None = None) -> None:
        self.store, self.mirror = store, mirror
        self.seconds = 100.0
        self.misses = 0
        self.reader = SnapshotReader(store, mirror, lambda: self.seconds, self._miss)

    def _miss(self) -> None:
        self.misses += 1

    def refresh(self) -> Synced | None:
        asyncio.run(self.reader.refresh())
        return self.reader.latest


def id_of(synced: Synced | None) -> int:
    assert synced
    return synced.stored.id


def test_the_mirror_answers_for_the_newest_and_spares_the_database() -> None:
    mirror = Mirror()
    mirror.holds = stored(2)
    world = World(Store(stored(1), stored(2)), mirror)
    assert id_of(world.refresh()) == 2
    assert world.store.read == 0
    assert id_of(world.refresh()) == 2
    assert world.store.asked == 2


@pytest.mark.parametrize("id_", [1, 3])
def test_a_mirror_of_another_snapshot_does_not_count(id_: int) -> None:
    mirror = Mirror()
    mirror.holds = stored(id_)
    world = World(Store(stored(2)), mirror)
    assert id_of(world.refresh()) == 2
    assert world.store.read == 1


@pytest.mark.parametrize("texts", [Texts(b"{}", None, None), structs.replace(TEXTS, openrouter=b"{}")])
def test_a_mirror_of_nonsense_is_a_miss(texts: Texts) -> None:
    mirror = Mirror()
    mirror.holds = stored(1, texts)
    world = World(Store(stored(1)), mirror)
    assert id_of(world.refresh()) == 1
    assert (world.store.read, world.misses) == (1, 1)


def test_without_the_database_the_mirror_may_be_newer_but_never_older() -> None:
    mirror = Mirror()
    world = World(Store(stored(2)), mirror)
    world.refresh()
    world.store.is_away = True
    for id_, expected in ((1, 2), (3, 3)):
        mirror.holds = stored(id_)
        if id_ < 2:
            with pytest.raises(StoreUnavailableError):
                world.refresh()
        else:
            world.refresh()
        assert id_of(world.reader.latest) == expected


def test_what_is_known_stays_when_everything_is_away() -> None:
    mirror = Mirror()
    world = World(Store(stored(1)), mirror)
    world.refresh()
    world.store.is_away = mirror.is_away = True
    with pytest.raises(StoreUnavailableError):
        world.refresh()
    assert id_of(world.reader.latest) == 1
    assert id_of(asyncio.run(world.reader.read())) == 1


def test_a_stored_snapshot_that_cannot_be_read_changes_nothing() -> None:
    world = World(Store(stored(1)))
    world.refresh()
    world.store.kept.append(stored(2, Texts(b"{}", None, None)))
    assert id_of(world.refresh()) == 1


def test_while_there_is_nothing_it_is_looked_for_once_a_second_for_all() -> None:
    world = World(Store())

    async def many() -> list[Any]:
        return list(await asyncio.gather(*(world.reader.read() for _ in range(20))))

    assert asyncio.run(many()) == [None] * 20
    assert world.store.asked == 1
    world.store.kept.append(stored(1))
    world.seconds += 0.9
    assert asyncio.run(world.reader.read()) is None
    world.seconds += 0.2
    assert id_of(asyncio.run(world.reader.read())) == 1
    assert world.store.asked == 2


def test_who_serves_a_model_in_any_variant() -> None:
    world = World(Store(stored(1)))
    assert world.reader.serving("vendor/provider-1-1") == frozenset()
    world.refresh()
    assert world.reader.serving("vendor/provider-1-1:free") == {"provider-1"}
    assert world.reader.serving("no/such") == frozenset()


def test_what_is_looked_up_in_a_snapshot() -> None:
    synced = synced_of(stored(1, write_payloads(repriced(prompt="-1"))))
    assert synced.unpriced == {ID}
    assert synced.training == frozenset()
    data = json.loads(synced.providers)["data"]
    assert [set(one) for one in data] == [{"name", "displayName", "slug", "dataPolicy", "headquarters"}] * 12
    assert [one["slug"] for one in data] == [one.slug for one in BEFORE.providers.providers]
    assert synced.by_provider == TEXTS.providers


def test_whose_provider_trains_may_be_trained_on() -> None:
    feeds = Feeds()
    policy = {"training": True, "retainsPrompts": True, "canPublish": True}
    feeds.providers[1] = provider("provider-1", dataPolicy=policy)
    synced = synced_of(stored(1, write_payloads(payloads(feeds))))
    assert synced.training == {f"vendor/provider-1-{n}" for n in range(10)}


def test_too_little_is_no_snapshot() -> None:
    few = structs.replace(BEFORE, vercel={})
    with pytest.raises(FeedError, match="Suspicious"):
        synced_of(stored(1, write_payloads(few)))
