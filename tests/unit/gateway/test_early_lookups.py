import asyncio
from collections.abc import Callable, Coroutine, Iterable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from structlog.testing import capture_logs

from contract.scenario import a_hold, outcome, record
from tollway.billing.ledger import Basis, Outcome
from tollway.billing.store import LOOKUPS_MAX, StoreUnavailableError, UncertainRow
from tollway.catalog.model import Price
from tollway.gateway.early_lookups import (
    AT_ONCE_MAX,
    BOOKED_LOOKS_MAX,
    FIRST_WAIT_S,
    EarlyLookups,
    Pace,
    first_pause_s,
    may_change,
)
from tollway.gateway.upstream_port import Failure, FailureKind
from tollway.providers.registry import Upstream
from unit.gateway import fakes
from unit.gateway.fake_lookups import Answer, FakeCorrections, row, told, upstream
from unit.gateway.fakes import PRICE

RESET = Failure(FailureKind.NO_ANSWER, "reset", True)
OFFSETS_MS = (0, 200, 500, 950, 1625, 2637.5, 4156.2, 6434.4, 9851.6, 14977.3)
LATER, BUSY, REFUSED = (404, b""), (503, b""), (401, b"")


class World:
    """A clock that only sleeping moves; it stands still while an upstream answers, unless `answer_s` says otherwise."""

    def __init__(self, answers: Iterable[Answer], *, roll: float = 0.5, answer_s: float = 0.0) -> None:
        self.now = 1_000.0
        self.answer_s = answer_s
        self.roll = roll
        self.answers = list(answers)
        self.asked: list[tuple[float, bytes]] = []  # seconds since the answer's end
        self.corrections = FakeCorrections(row(1, message_id="gen-1"))
        self.booked_after = 0  # looks for the row
        self.looks = 0
        self.lines: list[Any] = []

    async def sleep(self, seconds: float) -> None:
        self.now += seconds
        await asyncio.sleep(0)

    async def fetch(self, _: Upstream, head: bytes) -> Answer:
        self.asked.append((self.now - 1_000.0, head))
        self.now += self.answer_s
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]

    async def find_uncertain(self, request_id: str) -> UncertainRow | None:
        self.looks += 1
        return self.corrections.rows[request_id] if self.looks > self.booked_after else None

    @property
    def times_ms(self) -> list[float]:
        return [round(seconds * 1000, 3) for seconds, _ in self.asked]

    def look(self, *ended: Outcome, upstreams: dict[str, Upstream] | None = None) -> "World":
        async def find_price(_: str) -> Price:
            return PRICE

        async def scenario() -> None:
            tasks: list[asyncio.Task[None]] = []

            def start(work: Callable[[], Coroutine[Any, Any, None]]) -> asyncio.Task[None]:
                tasks.append(asyncio.get_running_loop().create_task(work()))
                return tasks[-1]

            self.corrections.find_uncertain = self.find_uncertain  # type: ignore[attr-defined]
            pace = Pace(20, lambda: self.now, self.sleep, lambda: self.roll)
            known = {"sim": upstream()} if upstreams is None else upstreams
            lookups = EarlyLookups(self.corrections, known, find_price, self.fetch, pace, start)  # type: ignore[arg-type]
            for one in ended or (estimated(),):
                lookups.begin(one)
            await asyncio.gather(*tasks)

        with capture_logs() as self.lines:
            asyncio.run(scenario())
        return self

    @property
    def events(self) -> list[tuple[str, str]]:
        return [(line["log_level"], line["event"]) for line in self.lines]


def estimated(request_id: str = "r1", basis: Basis = Basis.INTERRUPTED, **changes: object) -> Outcome:
    told_ = record(provider_id="sim", **changes)
    return outcome(a_hold(request_id, 0, worst_case=1_000), 100, basis=basis, record=told_)


def test_the_record_corrects_what_was_estimated() -> None:
    world = World([told()]).look()
    assert world.times_ms == [200]
    assert world.corrections.corrected["r1"].charge == 50
    assert world.asked[0][1].startswith(b"GET /v1/generation?id=gen-1 HTTP/1.1")
    assert world.lines == []


@pytest.mark.parametrize("status", [400, 401, 402, 403, 405, 409, 410, 422, 451, 499])
def test_a_refusal_ends_it(status: int) -> None:
    """For reconciliation as well."""
    world = World([(status, b"")])
    world.booked_after = 3
    world.look()
    assert (world.times_ms, world.corrections.corrected) == ([200], {})
    assert world.events == [("info", "record_not_found")]
    assert (world.looks, world.corrections.failed) == (4, ["r1"])
    assert world.corrections.rows["r1"].lookups == LOOKUPS_MAX


@pytest.mark.parametrize("status", [302, 408, 425, 429])
def test_what_is_no_answer_now_is_left_to_reconciliation(status: int) -> None:
    world = World([(status, b"")]).look()
    assert (world.times_ms, world.corrections.failed) == ([200], [])  # it has all its tries left
    assert world.events == [("info", "record_not_found")]


def test_a_refusal_of_what_is_not_booked_yet_is_forgotten() -> None:
    world = World([REFUSED])
    world.booked_after = 1_000
    world.look()
    assert (world.looks, world.corrections.failed) == (BOOKED_LOOKS_MAX, [])


@pytest.mark.parametrize("answer", [LATER, BUSY, (500, b""), (599, b""), RESET])
def test_what_may_change_is_asked_again_with_growing_pauses(answer: Answer) -> None:
    world = World([answer, answer, told()]).look()
    assert world.times_ms == [200, 400, 700]
    assert "r1" in world.corrections.corrected


def test_it_is_given_up_in_time() -> None:
    world = World([BUSY]).look()
    began = world.times_ms[0]
    assert [at - began for at in world.times_ms] == pytest.approx(OFFSETS_MS, abs=0.06)
    assert world.now - 1_000 == pytest.approx(FIRST_WAIT_S + 14.9773, abs=0.001)  # and no sleep after the last
    assert (world.corrections.corrected, world.events) == ({}, [("info", "record_not_found")])


@given(st.floats(0, 1), st.floats(0, 25))
def test_never_later_than_its_time_and_never_fewer_than_one(roll: float, answer_s: float) -> None:
    world = World([BUSY], roll=roll, answer_s=answer_s).look()
    first, last = world.asked[0][0], world.asked[-1][0]
    assert first == pytest.approx(FIRST_WAIT_S)
    assert last - first <= 20
    assert 1 <= len(world.asked) <= 11
    pauses = [b[0] - a[0] - answer_s for a, b in zip(world.asked, world.asked[1:], strict=False)]
    assert pauses == pytest.approx([first_pause_s(roll) * 1.5**n for n in range(len(pauses))])


def test_the_first_pause_varies_by_a_twentieth_either_way() -> None:
    assert [first_pause_s(roll) for roll in (0, 0.5, 1)] == pytest.approx([0.19, 0.2, 0.21])


@given(st.integers(200, 599))
def test_what_may_change(status: int) -> None:
    assert may_change((status, b"")) is (status == 404 or status >= 500)
    assert may_change(RESET)


def test_the_row_is_waited_for_and_the_upstream_not_asked_again() -> None:
    world = World([told()])
    world.booked_after = 3
    world.look()
    assert (len(world.asked), world.looks, "r1" in world.corrections.corrected) == (1, 4, True)


def test_a_row_that_does_not_come_is_left_to_reconciliation() -> None:
    world = World([told()])
    world.booked_after = 1_000
    world.look()
    assert (world.looks, world.corrections.corrected) == (BOOKED_LOOKS_MAX, {})


def test_without_the_database_it_is_left_as_well() -> None:
    world = World([told()])

    async def away(_: str) -> UncertainRow | None:
        raise StoreUnavailableError("gone")

    world.find_uncertain = away  # type: ignore[method-assign]
    assert world.look().events == [("info", "record_not_booked")]


@pytest.mark.parametrize(
    "ended",
    [
        estimated(basis=Basis.REPORTED),
        estimated(basis=Basis.FREE),
        estimated(basis=Basis.BYOK),
        estimated(message_id=None),
    ],
    ids=["reported", "free", "own key", "nameless"],
)
def test_where_nothing_is_open_nobody_is_asked(ended: Outcome) -> None:
    assert World([told()]).look(ended).asked == []


def test_who_does_not_tell_is_not_asked() -> None:
    assert World([told()]).look(upstreams={"sim": fakes.upstream("sim")}).asked == []
    assert World([told()]).look(upstreams={"other": upstream("other")}).asked == []


def test_not_too_many_at_once() -> None:
    ended = [estimated(f"r{number}") for number in range(AT_ONCE_MAX + 5)]
    world = World([(429, b"")]).look(*ended)
    assert len(world.asked) == AT_ONCE_MAX


def test_at_the_end_nobody_waits() -> None:
    async def scenario() -> None:
        asked: list[bytes] = []

        async def fetch(_: Upstream, head: bytes) -> Answer:
            asked.append(head)
            return BUSY

        tasks: list[asyncio.Task[None]] = []

        def start(work: Callable[[], Coroutine[Any, Any, None]]) -> asyncio.Task[None]:
            tasks.append(asyncio.get_running_loop().create_task(work()))
            return tasks[-1]

        pace = Pace(20, lambda: 0.0, lambda _: asyncio.sleep(3_600), lambda: 0.5)
        lookups = EarlyLookups(FakeCorrections(), {"sim": upstream()}, None, fetch, pace, start)  # type: ignore[arg-type]
        lookups.begin(estimated())
        await asyncio.sleep(0)
        lookups.stop()
        await asyncio.wait(tasks)
        assert (tasks[0].cancelled(), asked) == (True, [])

    asyncio.run(scenario())
