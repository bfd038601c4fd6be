"""Vectors FL1 to FL16 of request-path: limits of free models, with the shipped preset, through the stages themselves.

The clock is the test's own, and the windows are those of the process unless a row speaks of the store. What a row calls
"logged" was counted before; where the daily limit is meant, that was more than an hour ago.
"""

import asyncio
import json
from collections.abc import Coroutine
from dataclasses import replace
from types import TracebackType
from typing import Any

import msgspec
import pytest

from tollway.catalog.preset import FreeLimits
from tollway.errors import Code, Problem
from tollway.gateway.exchange import Exchange, Inbound
from tollway.gateway.pipeline import CLOSERS, STAGES, Stage, handle
from tollway.gateway.services import Services
from tollway.gateway.stages import log_free_use
from tollway.http.problems import problem_body, problem_headers
from tollway.identity.caller import Refusal
from tollway.limits.addresses import window_name
from tollway.limits.fallback import FallbackWindows
from tollway.limits.rules import rules_of
from tollway.limits.store import Full
from tollway.storage.memory.windows import MemoryWindows
from tollway.storage.redis.client import open_client
from tollway.storage.redis.windows import RedisWindows
from unit.gateway.fakes import (
    NOW,
    PRESET,
    FakeAuthenticator,
    FakeClient,
    FakeFreeUseLog,
    FakeUpstreams,
    answers,
    body_of,
    free_uses,
    model,
    services,
)

HOUR, DAY = 3_600_000, 86_400_000
HOSTED, GENERIC, PAID = "minimax/minimax-m2.5:free", "meta-llama/llama-4-scout:free", "anthropic/claude-sonnet-4.6"
A, B = "198.51.100.1", "198.51.100.2"
TOKEN = {b"authorization": b"Bearer key"}
LIMIT_REACHED = {
    "error": "Rate limit exceeded",
    "message": "Free model usage limit reached. Please try again later or upgrade to a paid model.",
}
SIGN_UP = {
    "error": {
        "code": "PROMOTION_MODEL_LIMIT_REACHED",
        "message": "Sign up for free to continue and explore 500 other models. "
        "Takes 2 minutes, no credit card required. Or come back later.",
    }
}
ALLOWED = None

# As far as these rows are about it.
OURS: tuple[Stage, ...] = STAGES[: [stage.name for stage in STAGES].index("log_free_use") + 1]
_GIVING_BACK = [closer for closer in CLOSERS if closer.__module__.endswith(("release_place", "free_slots"))]


class Guard:
    """Lets a bug through to the test."""

    failed = False

    def __enter__(self) -> None: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        return False


class House:
    """One gateway's free use: its clock, its windows, and what was logged."""

    def __init__(self, **changes: Any) -> None:
        self.now = 10 * DAY
        self.log = changes.pop("log", FakeFreeUseLog())
        preset = changes.pop("preset", PRESET)
        self.free = free_uses(preset, lambda: self.now, log=self.log, **changes)
        self.services: Services = services(free=self.free, preset=preset)
        self._number = 0

    def logged(self, count: int, address: str = A, anonymous: bool = False) -> None:
        """So many requests, counted now."""
        key = window_name(self.free.secret, address)

        async def log() -> None:
            for _ in range(count):
                assert await self.free.windows.commit(key, self.new_id(), anonymous) is None

        asyncio.run(log())

    def logged_earlier(self, anonymous: int, authenticated: int) -> None:
        """So many at A within a day, none of them in the last hour, and with no regard to the limit of an hour."""
        key = window_name(self.free.secret, A)
        windows = self.free.windows
        assert isinstance(windows, MemoryWindows)
        windows._rules = replace_hosted(rules_of(PRESET.free), anonymous + authenticated)
        self.logged(anonymous, anonymous=True)
        self.logged(authenticated, anonymous=False)
        assert windows._states[key].promotion.used(self.now) == anonymous
        windows._rules = rules_of(PRESET.free)
        self.now += HOUR + 1

    def new_id(self) -> str:
        self._number += 1
        return f"request-{self._number}"

    def ask(self, model: str, address: str = A, headers: dict[bytes, bytes] | None = None) -> Exchange:
        body = body_of(model=model)
        inbound = Inbound("/api/gateway/chat/completions", b"", headers or {}, body, address, True)
        return Exchange(self.new_id(), inbound, FakeClient(), NOW, 0.0)

    async def pass_stages(self, one: Exchange, stages: tuple[Stage, ...] = OURS) -> Problem | None:
        for stage in stages:
            result = stage.run(one, self.services)
            if isinstance(result, Coroutine):
                result = await result
            if isinstance(result, Problem):
                one.problem = result
                return result
            if stage.gives:
                setattr(one, stage.gives, result)
        return None

    def try_(self, model: str, address: str = A, headers: dict[bytes, bytes] | None = None) -> tuple[int, Any] | None:
        """Status and body of the refusal; None: allowed. What was held is given back as at the end of any request."""
        one = self.ask(model, address, headers)

        async def whole() -> Problem | None:
            problem = await self.pass_stages(one)
            for closer in _GIVING_BACK:
                waiting = closer(one, self.services)
                if waiting:
                    await waiting
            return problem

        return told(asyncio.run(whole()))


def replace_hosted(rules: Any, most: int) -> Any:
    hosted = rules.hosted
    return type(rules)(type(hosted)(hosted.window, most, hosted.length_ms), rules.promotion)


def told(problem: Problem | None) -> tuple[int, Any] | None:
    return problem and (problem.http_status, json.loads(problem_body(problem, "an-id", historic=True)))


@pytest.mark.parametrize(
    ("logged", "outcome"),
    [
        pytest.param(199, ALLOWED, id="request:FL1"),
        pytest.param(200, (429, LIMIT_REACHED), id="request:FL2"),
    ],
)
def test_so_many_in_the_last_hour(logged: int, outcome: object) -> None:
    house = House()
    house.logged(logged)
    house.now += HOUR - 1
    assert house.try_(HOSTED) == outcome


@pytest.mark.parametrize(
    "steps", [pytest.param([(3_600_000, (429, LIMIT_REACHED)), (3_600_001, ALLOWED)], id="request:FL3")]
)
def test_the_oldest_is_exactly_so_old(steps: list[tuple[int, object]]) -> None:
    house = House()
    house.logged(1)
    start = house.now
    house.now += 60_000
    house.logged(199)
    for age, outcome in steps:
        house.now = start + age
        assert house.try_(HOSTED) == outcome


@pytest.mark.parametrize("refused", [pytest.param(10, id="request:FL4")])
def test_refused_requests_were_not_counted(refused: int) -> None:
    house = House()
    house.logged(1)
    house.now += 60_000
    house.logged(199)
    for _ in range(refused):
        assert house.try_(HOSTED) == (429, LIMIT_REACHED)
    house.now += HOUR - 60_000 + 1
    assert house.try_(HOSTED) == ALLOWED
    assert house.try_(HOSTED) == (429, LIMIT_REACHED)


@pytest.mark.parametrize(
    ("model", "address", "headers", "outcome"),
    [
        pytest.param(HOSTED, B, {}, ALLOWED, id="request:FL5"),
        pytest.param(HOSTED, A, TOKEN, (429, LIMIT_REACHED), id="request:FL6"),
        pytest.param(GENERIC, A, {}, ALLOWED, id="request:FL7-generic"),
        pytest.param(PAID, A, TOKEN, ALLOWED, id="request:FL7-paid"),
    ],
)
def test_whom_a_full_hour_concerns(model: str, address: str, headers: dict[bytes, bytes], outcome: object) -> None:
    house = House()
    house.logged(200)
    assert house.try_(model, address, headers) == outcome


@pytest.mark.parametrize(
    ("anonymous", "authenticated", "headers", "models", "outcome"),
    [
        pytest.param(10_000, 0, {}, (HOSTED, GENERIC, "openrouter/x-alpha"), (401, SIGN_UP), id="request:FL8"),
        pytest.param(9_999, 5_000, {}, (GENERIC, HOSTED), ALLOWED, id="request:FL9"),
        pytest.param(10_000, 0, TOKEN, (HOSTED, GENERIC), ALLOWED, id="request:FL10"),
    ],
)
def test_a_day_of_callers_who_are_nobody(
    anonymous: int, authenticated: int, headers: dict[bytes, bytes], models: tuple[str, ...], outcome: object
) -> None:
    house = House()
    house.logged_earlier(anonymous, authenticated)
    for one in models:
        assert house.try_(one, headers=headers) == outcome


@pytest.mark.parametrize("model", [pytest.param("x/y:free", id="request:FL11")])
def test_a_generic_free_model_is_not_counted(model: str) -> None:
    house = House()
    assert house.try_(model) == ALLOWED
    assert house.log.uses == []
    assert len(house.free.windows) == 0


@pytest.mark.parametrize("log", [pytest.param(FakeFreeUseLog(away=True), id="request:FL12")])
def test_a_row_that_cannot_be_stored(log: FakeFreeUseLog, monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []

    class Log:
        def error(self, event: str, **_: object) -> None:
            said.append(event)

    monkeypatch.setattr(log_free_use, "_log", Log())
    house = House(log=log)
    assert house.try_(HOSTED) == ALLOWED
    assert said == ["free_use_not_stored"]


@pytest.mark.parametrize("status", [pytest.param(500, id="request:FL13")])
def test_an_upstream_that_fails_is_no_reason_not_to_count(status: int) -> None:
    """Through the whole pipeline."""
    house = House()
    upstreams = FakeUpstreams(*[answers(status, {"error": "broken"})] * 3)
    everything = replace(house.services, client=upstreams, catalog=services(model=model(id_=HOSTED)).catalog)
    one = house.ask(HOSTED, headers=TOKEN)
    asyncio.run(handle(one, everything, Guard))
    assert upstreams.sent
    assert one.client.status >= 500
    assert len(house.log.uses) == 1
    house.logged(199)
    assert house.try_(HOSTED) == (429, LIMIT_REACHED)


@pytest.mark.parametrize("logged", [pytest.param(195, id="request:FL14")])
def test_twenty_at_once(logged: int) -> None:
    house = House()
    house.logged(logged)

    async def all_at_once() -> list[Problem | None]:
        return await asyncio.gather(*(house.pass_stages(house.ask(HOSTED)) for _ in range(20)))

    outcomes = [told(problem) for problem in asyncio.run(all_at_once())]
    assert outcomes.count(ALLOWED) == 5
    assert outcomes.count((429, LIMIT_REACHED)) == 15
    assert len(house.log.uses) == 5


@pytest.mark.parametrize(
    "ending", [pytest.param("refused", id="request:FL15-refused"), pytest.param("gone", id="request:FL15-gone")]
)
def test_the_last_place_comes_back(ending: str) -> None:
    """Through the whole pipeline: the place is held when the second request comes, and free after the first ended."""
    day_is_full = msgspec.structs.replace(PRESET, free=FreeLimits(promotion_count=199))
    house = House(preset=day_is_full)
    house.logged(199, anonymous=True)
    headers, authenticator = {}, FakeAuthenticator(Refusal("unknown"))
    if ending == "gone":
        headers, authenticator = TOKEN, FakeAuthenticator(later=True)
    everything = replace(house.services, authenticator=authenticator)
    one = house.ask(HOSTED, headers=headers)
    others: list[tuple[int, Any] | None] = []
    key = window_name(house.free.secret, A)

    async def known(credential: str, organization: str) -> Any:
        full = await house.free.windows.reserve(key, "another")
        others.append(ALLOWED if full is None else (429, LIMIT_REACHED))
        one.client.gone = True
        return authenticator.verdict

    if ending == "gone":
        authenticator.authenticate = known
    asyncio.run(handle(one, everything, Guard))
    assert one.problem
    if ending == "gone":
        assert one.problem.code is Code.CLIENT_GONE
        assert others == [(429, LIMIT_REACHED)]
    else:
        assert one.problem.http_status == 401  # a hosted model passes the gate, so it is the promotion limit's
    assert house.log.uses == []
    assert asyncio.run(house.free.windows.reserve(key, "next")) is None


@pytest.mark.parametrize("address", [pytest.param("redis://127.0.0.1:1/0", id="request:FL16")])
def test_without_the_store_the_own_limit_counts(address: str) -> None:
    """Two instances, so each gives away a half."""
    counted: list[int] = []
    own = MemoryWindows(rules_of(PRESET.free, 2), 100, lambda: 10 * DAY)
    shared = RedisWindows(open_client(address, 1), rules_of(PRESET.free), 1)
    house = House(windows=FallbackWindows(shared, own, lambda: 0.0, lambda: counted.append(1)))
    outcomes = [house.try_(HOSTED) for _ in range(101)]
    assert outcomes == [ALLOWED] * 100 + [(429, LIMIT_REACHED)]
    assert counted


@pytest.mark.parametrize("shown", [pytest.param((LIMIT_REACHED, 3_601), id="request:FL2-headers")])
def test_when_to_come_back(shown: tuple[object, int]) -> None:
    """An addition of §0.6 and 5.2.5: the body stays as it is."""
    house = House()
    house.logged(200)
    problem = asyncio.run(house.pass_stages(house.ask(HOSTED)))
    assert problem
    assert told(problem) == (429, shown[0])
    assert b"retry-after: %d\r\n" % shown[1] in problem_headers(problem, "an-id")
    assert isinstance(asyncio.run(house.free.windows.reserve(window_name(house.free.secret, A), "r")), Full)
