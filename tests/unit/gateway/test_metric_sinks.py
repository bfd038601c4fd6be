"""Sinks that are slow, away, or refuse: what waits on, what is lost, and what is counted."""

import asyncio
import json
from collections.abc import Sequence

import pytest

from contract.observed import measured, metric
from tollway.billing.store import StoreUnavailableError
from tollway.gateway.metric_sinks import POSTED_AT_ONCE, PostSink, StoreSink
from tollway.observability.api_metrics import Measured
from tollway.observability.metric_feed import Waiting


class Store:
    def __init__(self, refused: str = "") -> None:
        self.batches: list[list[str]] = []
        self.refused = refused
        self.is_away = False
        self.meanwhile: list[Measured] = []
        self.waiting: Waiting | None = None

    async def add(self, records: Sequence[Measured]) -> None:
        if self.is_away:
            raise StoreUnavailableError("gone")
        if any(record.metric.provider == self.refused for record in records):
            raise ValueError("no")
        self.batches.append([record.id for record in records])
        while self.meanwhile and self.waiting:
            self.waiting.add(self.meanwhile.pop())


class Scene:
    def __init__(self, count: int, refused: str = "") -> None:
        self.lost = 0
        self.waiting = Waiting(1_000, self._lose)
        self.records = [measured(metric(provider=f"p{number}")) for number in range(count)]
        for record in self.records:
            self.waiting.add(record)
        self.store = Store(refused)
        self.sink = StoreSink(self.waiting, self.store, 4)

    def _lose(self, count: int) -> None:
        self.lost += count

    def ids(self, *numbers: int) -> list[str]:
        return [self.records[number].id for number in numbers]


def test_batches_in_order_and_what_comes_meanwhile() -> None:
    scene = Scene(6)
    scene.store.waiting, scene.store.meanwhile = scene.waiting, [late := measured(metric())]
    asyncio.run(scene.sink.flush())
    assert scene.store.batches == [scene.ids(0, 1, 2, 3), [*scene.ids(4, 5), late.id]]
    assert (len(scene.waiting), scene.lost) == (0, 0)


def test_a_store_that_is_away_keeps_them_waiting() -> None:
    scene = Scene(6)
    scene.store.is_away = True
    with pytest.raises(StoreUnavailableError):
        asyncio.run(scene.sink.flush())
    assert (len(scene.waiting), scene.lost) == (6, 0)
    asyncio.run(scene.sink.flush_at_end())
    scene.store.is_away = False
    asyncio.run(scene.sink.flush_at_end())
    assert (len(scene.waiting), sum(map(len, scene.store.batches))) == (0, 6)


def test_one_that_is_refused_costs_no_other() -> None:
    scene = Scene(6, refused="p2")
    asyncio.run(scene.sink.flush())
    assert scene.store.batches == [scene.ids(0), scene.ids(1), scene.ids(3), scene.ids(4, 5)]
    assert (len(scene.waiting), scene.lost) == (0, 1)


def post_all(scene: Scene, failing: Sequence[str]) -> list[str]:
    posted: list[str] = []

    async def post(body: bytes) -> str | None:
        provider = json.loads(body)["provider"]
        posted.append(provider)
        await asyncio.sleep(0)
        return "status 503" if provider in failing or "all" in failing else None

    asyncio.run(PostSink(scene.waiting, post).flush())
    return posted


def test_each_is_posted_once_and_lost_when_it_fails() -> None:
    scene = Scene(POSTED_AT_ONCE + 3)
    posted = post_all(scene, ["p1", "p2"])
    assert posted == [f"p{number}" for number in range(POSTED_AT_ONCE + 3)]
    assert (len(scene.waiting), scene.lost) == (0, 2)


def test_a_receiver_that_is_away_is_left_alone_until_the_next_time() -> None:
    scene = Scene(POSTED_AT_ONCE * 3)
    assert len(post_all(scene, ["all"])) == POSTED_AT_ONCE
    assert (len(scene.waiting), scene.lost) == (POSTED_AT_ONCE * 2, POSTED_AT_ONCE)
