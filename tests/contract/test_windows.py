"""Windows of free use: one suite for the process's own and those in a real Redis, and both against a naive model."""

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from redis.asyncio import Redis

from servers.redis import RedisServer
from tollway.catalog.preset import FreeLimits
from tollway.limits.rules import FreeRules, Window, rules_of
from tollway.limits.store import Full, Windows
from tollway.limits.window import HOLD_MS, MINUTE_MS
from tollway.storage.memory.windows import MemoryWindows
from tollway.storage.redis.client import open_client
from tollway.storage.redis.windows import RedisWindows

KEY, OTHER = "an-address", "another-address"
START = 1_790_000_000_000  # in a minute's middle
HOUR, DAY = 3_600_000, 86_400_000
USUAL = rules_of(FreeLimits())
SMALL = rules_of(FreeLimits(hosted_count=3, hosted_window_s=100, promotion_count=4, promotion_window_s=300))
PATIENTLY_S = 30.0


class Milliseconds:
    """Stands still until it is moved."""

    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> int:
        return self.now


class Store:
    """The windows of one kind, each time empty, in one event loop."""

    def __init__(self, kind: str, server: RedisServer | None) -> None:
        self.kind = kind
        self.clock = Milliseconds()
        self._runner = asyncio.Runner()
        self.client = open_client(server.url, PATIENTLY_S) if server else None

    def open(self, rules: FreeRules = USUAL) -> Windows:
        if self.client is None:
            return MemoryWindows(rules, 100, self.clock)
        self.run(self.client.flushdb())
        return RedisWindows(self.client, rules, PATIENTLY_S, self.clock)

    def run(self, work: Any) -> Any:
        async def wait() -> Any:
            return await work

        return self._runner.run(wait())

    def close(self) -> None:
        if self.client is not None:
            self.run(self.client.aclose())
            self.run(self.client.connection_pool.disconnect())
        self._runner.close()


@pytest.fixture(params=["memory", "redis"])
def store(request: pytest.FixtureRequest) -> Iterator[Store]:
    server = request.getfixturevalue("redis_server") if request.param == "redis" else None
    made = Store(request.param, server)
    yield made
    made.close()


async def log(windows: Windows, count: int, key: str = KEY, anonymous: bool = False, start: int = 0) -> None:
    for number in range(start, start + count):
        assert await windows.commit(key, f"logged-{anonymous}-{number}", anonymous) is None


def test_an_entry_counts_until_it_is_older_than_the_window(store: Store) -> None:
    windows = store.open()
    store.run(log(windows, 200))
    store.clock.now = START + HOUR
    full = store.run(windows.reserve(KEY, "r"))
    assert full == Full(USUAL.hosted, 1)
    store.clock.now += 1
    assert store.run(windows.reserve(KEY, "r")) is None


def test_of_many_at_once_as_many_pass_as_there_are_places(store: Store) -> None:
    windows = store.open()

    async def scenario() -> list[Full | None]:
        await log(windows, 195)
        return await asyncio.gather(*(windows.reserve(KEY, f"r{number}") for number in range(20)))

    answers = store.run(scenario())
    assert answers.count(None) == 5
    assert {answer for answer in answers if answer} == {Full(USUAL.hosted, HOLD_MS)}


def test_each_key_has_windows_of_its_own(store: Store) -> None:
    windows = store.open(SMALL)
    store.run(log(windows, 3, anonymous=True))
    assert store.run(windows.reserve(KEY, "r"))
    assert store.run(windows.reserve(OTHER, "r")) is None
    assert store.run(windows.check(OTHER)) is None


def test_a_refused_reservation_holds_nothing(store: Store) -> None:
    windows = store.open(SMALL)
    store.run(log(windows, 3))
    store.clock.now += 50_000
    for number in range(10):
        assert store.run(windows.reserve(KEY, f"r{number}")) == Full(SMALL.hosted, 50_001)
    store.clock.now += 50_001
    assert [store.run(windows.reserve(KEY, f"r{number}")) is None for number in range(4)] == [True, True, True, False]


def test_a_place_comes_back_when_released_or_forgotten(store: Store) -> None:
    windows = store.open(SMALL)
    store.run(log(windows, 2))
    assert store.run(windows.reserve(KEY, "a")) is None
    assert store.run(windows.reserve(KEY, "a")) is None  # its own place
    assert store.run(windows.reserve(KEY, "b"))
    store.run(windows.release(KEY, "b"))  # has none
    assert store.run(windows.reserve(KEY, "b"))
    store.run(windows.release(KEY, "a"))
    assert store.run(windows.reserve(KEY, "b")) is None
    store.clock.now += HOLD_MS - 1
    assert store.run(windows.reserve(KEY, "c"))
    store.clock.now += 1
    assert store.run(windows.reserve(KEY, "c")) is None


def test_a_place_that_ended_may_have_gone_to_somebody_else(store: Store) -> None:
    """Then the late one is refused, because the window never has more entries than its rule allows."""
    windows = store.open(SMALL)
    store.run(log(windows, 2))
    assert store.run(windows.reserve(KEY, "late")) is None
    store.clock.now += HOLD_MS
    assert store.run(windows.reserve(KEY, "other")) is None
    full = store.run(windows.commit(KEY, "late", False))
    assert full == Full(SMALL.hosted, 100_000 - HOLD_MS + 1)
    assert store.run(windows.commit(KEY, "other", False)) is None


def test_only_what_nobody_signed_in_for_is_in_the_promotion_window(store: Store) -> None:
    # 200 in an hour are the most there can be, so the limit of a day is made smaller to be reached
    small = rules_of(FreeLimits(promotion_count=500))
    windows = store.open(small)

    async def day() -> None:
        for _ in range(5):
            await log(windows, 99, anonymous=False, start=store.clock.now)
            await log(windows, 100, anonymous=True, start=store.clock.now)
            store.clock.now += HOUR + 1

    store.run(day())
    full = store.run(windows.check(KEY))
    assert isinstance(full, Full)
    assert full.rule == small.promotion
    leaves_at = (START // MINUTE_MS + 1) * MINUTE_MS + DAY
    assert store.clock.now + full.frees_in_ms == leaves_at
    store.clock.now = leaves_at - 1
    assert store.run(windows.check(KEY))
    store.clock.now = leaves_at
    assert store.run(windows.check(KEY)) is None


def test_checking_changes_nothing(store: Store) -> None:
    windows = store.open(SMALL)
    for _ in range(10):
        assert store.run(windows.check(KEY)) is None
    if store.client is None:
        assert len(windows) == 0
    else:
        assert store.run(store.client.keys()) == []


def test_a_full_promotion_window_gives_the_place_back_and_logs_nothing(store: Store) -> None:
    windows = store.open(SMALL)
    store.run(log(windows, 3, anonymous=True))
    store.clock.now += 100_001
    store.run(log(windows, 1, anonymous=True, start=3))
    assert store.run(windows.reserve(KEY, "a")) is None
    full = store.run(windows.commit(KEY, "a", True))
    assert isinstance(full, Full)
    assert full.rule.window is Window.PROMOTION
    assert [store.run(windows.reserve(KEY, name)) is None for name in "bcd"] == [True, True, False]


def test_a_limit_of_zero_is_a_closed_door(store: Store) -> None:
    closed = rules_of(FreeLimits(hosted_count=0, promotion_count=0))
    windows = store.open(closed)
    assert store.run(windows.reserve(KEY, "a")) == Full(closed.hosted, HOUR)
    assert store.run(windows.check(KEY)) == Full(closed.promotion, DAY)
    assert store.run(windows.commit(KEY, "a", True)) == Full(closed.promotion, DAY)
    assert store.run(windows.commit(KEY, "a", False)) == Full(closed.hosted, HOUR)


class Model:
    """What the windows mean, without any thought of speed or memory."""

    def __init__(self, rules: FreeRules) -> None:
        self.rules = rules
        self.entries: list[tuple[int, bool]] = []
        self.places: dict[str, int] = {}

    def _live(self, now: int) -> dict[str, int]:
        return {name: taken for name, taken in self.places.items() if now < taken + HOLD_MS}

    def _hosted(self, now: int) -> int:
        return sum(at >= now - self.rules.hosted.length_ms for at, _ in self.entries) + len(self._live(now))

    def _promotion(self, now: int) -> int:
        first = now - self.rules.promotion.length_ms
        return sum(anonymous and at // MINUTE_MS >= first // MINUTE_MS for at, anonymous in self.entries)

    def reserve(self, name: str, now: int) -> Window | None:
        if name in self._live(now):
            return None
        if self._hosted(now) >= self.rules.hosted.most:
            return Window.HOSTED
        self.places[name] = now
        return None

    def check(self, now: int) -> Window | None:
        return Window.PROMOTION if self._promotion(now) >= self.rules.promotion.most else None

    def commit(self, name: str, now: int, anonymous: bool) -> Window | None:
        had_place, used = name in self._live(now), self._hosted(now)
        self.places.pop(name, None)
        if anonymous and self.check(now):
            return Window.PROMOTION
        if not had_place and used >= self.rules.hosted.most:
            return Window.HOSTED
        self.entries.append((now, anonymous))
        return None


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["reserve", "check", "commit", "commit", "commit", "release"]),
        st.integers(0, 3),
        st.booleans(),
        st.sampled_from([0, 0, 0, 1, 59_999, 60_000, 39_999, 40_001, 100_000, 200_000, 300_001]),
    ),
    max_size=40,
)


def _agree(store: Store, steps: list[tuple[str, int, bool, int]]) -> None:
    store.clock.now = START
    windows, model = store.open(SMALL), Model(SMALL)

    async def scenario() -> None:
        names = [f"{who}" for who in range(4)]
        for number, (what, who, anonymous, later) in enumerate(steps):
            store.clock.now += later
            now, name = store.clock.now, names[who]
            if what == "reserve":
                got, wanted = await windows.reserve(KEY, name), model.reserve(name, now)
            elif what == "check":
                got, wanted = await windows.check(KEY), model.check(now)
            elif what == "commit":
                names[who] = f"{who}-{number}"  # an id is logged once
                got, wanted = await windows.commit(KEY, name, anonymous), model.commit(name, now, anonymous)
            else:
                await windows.release(KEY, name)
                model.places.pop(name, None)
                continue
            assert (got.rule.window if got else None) == wanted, (number, what)
            assert got is None or 1 <= got.frees_in_ms <= 360_000

    store.run(scenario())


@settings(max_examples=300)
@given(STEPS)
def test_the_process_s_own_do_what_the_model_does(steps: list[tuple[str, int, bool, int]]) -> None:
    made = Store("memory", None)
    _agree(made, steps)
    made.close()


def test_those_in_redis_do_what_the_model_does(redis_server: RedisServer) -> None:
    made = Store("redis", redis_server)

    @settings(max_examples=60)
    @given(STEPS)
    def agree(steps: list[tuple[str, int, bool, int]]) -> None:
        _agree(made, steps)

    agree()
    made.close()


def test_redis_uses_its_own_clock_and_forgets_by_itself(redis_server: RedisServer) -> None:
    """Nothing is left of a key once its windows have passed, without anybody coming back to it."""
    made = Store("redis", redis_server)
    client = made.client
    assert isinstance(client, Redis)
    made.run(client.flushdb())
    windows = RedisWindows(client, USUAL, PATIENTLY_S)

    async def scenario() -> dict[str, int]:
        assert await windows.reserve(KEY, "a") is None
        assert await windows.reserve(KEY, "b") is None
        assert await windows.commit(KEY, "a", True) is None
        seconds, _ = await client.time()
        (_, logged_at) = (await client.zrange(f"tollway:free:{{{KEY}}}:hosted", 0, -1, withscores=True))[0]
        assert abs(logged_at / 1000 - seconds) < 60
        return {key.decode(): await client.pttl(key) for key in await client.keys()}

    left = made.run(scenario())
    made.close()
    most = {"hosted": HOUR + 1_000, "held": HOLD_MS + 1_000, "promotion": DAY + 61_000}
    assert set(left) == {f"tollway:free:{{{KEY}}}:{name}" for name in most}
    for name, ms in most.items():
        assert ms - 60_000 < left[f"tollway:free:{{{KEY}}}:{name}"] <= ms


def test_an_address_takes_bounded_room_in_redis(redis_server: RedisServer) -> None:
    """One number for each minute, however many entries (5.5.3)."""
    made = Store("redis", redis_server)
    windows = made.open(rules_of(FreeLimits(hosted_count=10_000)))

    async def scenario() -> int:
        for minute in range(1_500):
            await log(windows, 1, anonymous=True, start=minute)
            made.clock.now += MINUTE_MS
        assert made.client
        return int(await made.client.hlen(f"tollway:free:{{{KEY}}}:promotion"))

    assert made.run(scenario()) <= 1_441 + 2
    made.close()
