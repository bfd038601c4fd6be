import asyncio
import json
from collections.abc import Callable, Coroutine
from typing import Any

import pytest
from structlog.testing import capture_logs

from tollway.gateway.abuse_checks import AbuseChecks, Inquiry, NoAnswer
from tollway.http.background import Background
from tollway.observability.metrics import AbuseMetrics, Metrics
from tollway.settings import AbuseSettings
from tollway.wire.abuse import Classify, CostReport
from unit.gateway.fakes import Clock
from unit.gateway.worker import turns

ASKED = Classify(
    *("anon:1", None, None, "2001:db8::1", None, None, None, None, None, None, "sim", "a/b", None, None, None),
    *(False, False, False, False, None, None),
)
REPORT = CostReport("u", "2001:db8::1", None, None, 0, "gen-1", 21, "a/b", 10, 2, 4, 3)
AWAY = NoAnswer("connect", "refused")


def verdict(request_id: int = 77, key: str | None = None, name: str = "ALLOW") -> bytes:
    return json.dumps({"verdict": name, "request_id": request_id, "context": {"identity_key": key}}).encode()


class Service:
    """Implements AbuseService: answers with `says`, once `may` is set."""

    def __init__(self, *says: bytes | NoAnswer) -> None:
        self.says = list(says)
        self.may = asyncio.Event()
        self.may.set()
        self.asked = 0
        self.told: list[dict[str, Any]] = []
        self.taken: bytes | NoAnswer = b'{"success":true}'

    async def classify(self, body: bytes) -> bytes | NoAnswer:
        self.asked += 1
        await self.may.wait()
        return self.says.pop(0)

    async def report_cost(self, body: bytes) -> bytes | NoAnswer:
        self.told.append(json.loads(body))
        return self.taken


class World:
    def __init__(self, *says: bytes | NoAnswer, **settings: Any) -> None:
        self.service = Service(*says)
        self.metrics: AbuseMetrics = Metrics().abuse
        self.clock = Clock()
        self.background = Background()
        wanted = AbuseSettings(**settings)
        self.checks = AbuseChecks(wanted, self.service, self.background.start, self.clock, self.metrics)

    def begin(self) -> Inquiry:
        inquiry = self.checks.begin("request-1", lambda: ASKED)
        assert inquiry is not None
        return inquiry

    def failures(self, kind: str) -> float:
        return float(self.metrics.failures.labels(kind=kind)._value.get())


Scenario = Callable[[World], Coroutine[Any, Any, None]]


def play(scenario: Scenario, *says: bytes | NoAnswer, **settings: Any) -> tuple[World, list[Any]]:
    async def bounded() -> World:
        world = World(*says, **settings)
        async with asyncio.timeout(20):
            await scenario(world)
            await world.background.stop()
        return world

    with capture_logs() as lines:
        return asyncio.run(bounded()), lines


async def serve(world: World, headers_at: float = 0.0, report: CostReport | None = REPORT) -> None:
    """A request that is over when the service has answered."""
    inquiry = world.begin()
    await turns()
    world.checks.end(inquiry, headers_at, report)
    await turns()


def test_nothing_is_asked_before_the_request_waits() -> None:
    async def scenario(world: World) -> None:
        world.begin()
        assert world.service.asked == 0
        await turns()
        assert world.service.asked == 1

    play(scenario, verdict())


def test_a_verdict_is_logged_and_what_it_cost_is_told() -> None:
    world, lines = play(serve, verdict(77, "idk:1"))
    assert [line["event"] for line in lines] == ["abuse_verdict"]
    assert (lines[0]["user"], lines[0]["identity_key"], lines[0]["log_level"]) == ("anon:1", "idk:1", "info")
    (told,) = world.service.told
    assert (told["request_id"], told["cost"], told["message_id"]) == (77, 21, "gen-1")
    assert world.metrics.reports._value.get() == 1


def test_a_hard_verdict_is_said_louder() -> None:
    assert play(serve, verdict(name="HARD_BLOCK"))[1][0]["log_level"] == "warning"


def test_the_address_is_in_no_line() -> None:
    assert play(serve, verdict(77, "ip:2001:db8::1"))[1][0]["identity_key"] == "***"


@pytest.mark.parametrize("said", [verdict(0), b"{}", AWAY])
def test_without_an_id_nothing_is_told(said: bytes | NoAnswer) -> None:
    assert play(serve, said)[0].service.told == []


def test_without_a_report_nothing_is_told() -> None:
    assert play(lambda world: serve(world, report=None), verdict())[0].service.told == []


@pytest.mark.parametrize(("late_s", "told"), [(1.9, 1), (2.0, 1), (2.1, 0)])
def test_a_verdict_counts_until_two_seconds_after_the_headers(late_s: float, told: int) -> None:
    """Also while a stream goes on for long."""

    async def scenario(world: World) -> None:
        headers_at = world.clock.now
        world.service.may.clear()
        inquiry = world.begin()
        await turns()
        world.clock.now += late_s
        world.service.may.set()
        await turns()
        world.clock.now += 600
        world.checks.end(inquiry, headers_at, REPORT)
        await turns()

    assert len(play(scenario, verdict())[0].service.told) == told


def test_an_answer_that_comes_after_the_end_is_waited_for() -> None:
    async def scenario(world: World) -> None:
        world.service.may.clear()
        inquiry = world.begin()
        await turns()
        world.checks.end(inquiry, world.clock.now, REPORT)
        await turns()
        assert world.service.told == []
        world.service.may.set()

    assert len(play(scenario, verdict())[0].service.told) == 1


def test_who_never_answers_is_given_up() -> None:
    async def scenario(world: World) -> None:
        world.service.may.clear()
        inquiry = world.begin()
        await turns()
        world.checks.end(inquiry, world.clock.now, REPORT)
        await asyncio.wait((inquiry.task,))
        assert inquiry.task.cancelled()

    world, lines = play(scenario, verdict(), verdict_s=0.01)
    assert world.failures("timeout") == 1
    assert world.service.told == []
    assert [line["event"] for line in lines] == ["abuse_service_away"]


def test_that_it_is_away_is_said_once_and_counted_each_time() -> None:
    async def scenario(world: World) -> None:
        for _ in range(5):
            await serve(world)

    world, lines = play(scenario, AWAY, b"garbage", AWAY, verdict(), AWAY)
    assert [line["event"] for line in lines] == [
        "abuse_service_away",
        "abuse_service_back",
        "abuse_verdict",
        "abuse_service_away",
    ]
    assert (world.failures("connect"), world.failures("garbage")) == (3, 1)


def test_questions_are_bounded_and_room_comes_back() -> None:
    async def scenario(world: World) -> None:
        world.service.may.clear()
        first = world.begin()
        assert world.checks.begin("request-2", lambda: ASKED) is None
        world.service.may.set()
        await asyncio.wait((first.task,))
        await turns()
        world.begin()

    world, _ = play(scenario, verdict(), verdict(), in_flight=1)
    assert world.failures("busy") == 1


@pytest.mark.parametrize(
    ("answer", "event"),
    [(b'{"success":false}', "abuse_cost_not_taken"), (AWAY, "abuse_service_away")],
)
def test_a_report_that_is_not_taken(answer: bytes | NoAnswer, event: str) -> None:
    async def scenario(world: World) -> None:
        world.service.taken = answer
        await serve(world)

    world, lines = play(scenario, verdict())
    assert [line["event"] for line in lines] == ["abuse_verdict", event]
    assert world.metrics.reports._value.get() == 0


def test_a_bug_in_the_question_goes_no_further() -> None:
    async def scenario(world: World) -> None:
        def broken() -> Classify:
            raise ZeroDivisionError

        inquiry = world.checks.begin("request-1", broken)
        assert inquiry is not None
        await turns()
        world.checks.end(inquiry, 0.0, REPORT)

    world, lines = play(scenario)
    assert [line["event"] for line in lines] == ["internal_error"]
    assert world.service.told == []
