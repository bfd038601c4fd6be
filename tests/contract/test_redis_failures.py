"""Redis absent, dead, frozen, answering nonsense, wiped, and back: nobody is refused for it or waits for it (G, §8)."""

import asyncio
import socket
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from threading import Thread
from time import sleep
from typing import TypeVar

import pytest

from servers.redis import RedisServer
from tollway.catalog.preset import FreeLimits
from tollway.clock import monotonic
from tollway.limits import fallback
from tollway.limits.fallback import PAUSE_S, FallbackWindows
from tollway.limits.rules import rules_of
from tollway.limits.store import Full, WindowsUnavailableError
from tollway.storage.memory.windows import MemoryWindows
from tollway.storage.redis.client import CONNECTIONS_MAX, open_client
from tollway.storage.redis.question import answers
from tollway.storage.redis.windows import RedisWindows

T = TypeVar("T")

LIMITS = FreeLimits(hosted_count=9)
TIMEOUT_S = 0.25
SLACK_S = 1.0  # of a busy machine, beyond the time-out


@pytest.fixture
def server() -> Iterator[RedisServer]:
    """One of its own, which the test may do to as it likes."""
    made = RedisServer()
    yield made
    made.remove()


class Worker:
    """One process's windows: Redis, and a third of the limit of its own. `skip` passes the pause after a failure."""

    def __init__(self, url: str) -> None:
        self.redis = RedisWindows(open_client(url, TIMEOUT_S), rules_of(LIMITS), TIMEOUT_S)
        own = MemoryWindows(rules_of(LIMITS, 3), 100, lambda: int(self.now() * 1_000))
        self.fallbacks = 0
        self.windows = FallbackWindows(self.redis, own, self.now, self._count)
        self._skipped = 0.0
        self._number = 0

    def now(self) -> float:
        return monotonic() + self._skipped

    def skip(self) -> None:
        self._skipped += PAUSE_S

    def _count(self) -> None:
        self.fallbacks += 1

    async def log(self, count: int) -> int:
        """How many of so many uses are counted."""
        answers: list[Full | None] = []
        for _ in range(count):
            self._number += 1
            name = f"{id(self)}-{self._number}"
            answers.append(await self.windows.reserve("k", name) or await self.windows.commit("k", name, False))
        return answers.count(None)


@contextmanager
def nonsense(answer: bytes, *more: bytes, pause_s: float = 0) -> Iterator[str]:
    """A server that gives the same answer to everything, with a pause before each piece of it; its address."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                with connection:
                    connection.settimeout(5)
                    try:
                        while connection.recv(65_536):
                            for piece in (answer, *more):
                                sleep(pause_s)
                                connection.sendall(piece)
                    except OSError:
                        continue

        Thread(target=serve, daemon=True).start()
        yield f"redis://127.0.0.1:{listener.getsockname()[1]}/0"
        listener.shutdown(socket.SHUT_RDWR)


def run(scenario: Callable[[], Awaitable[T]]) -> T:
    async def wait() -> T:
        return await scenario()

    return asyncio.run(wait())


@pytest.fixture(autouse=True)
def said(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, object]]:
    lines: list[dict[str, object]] = []

    class Log:
        def warning(self, event: str, **fields: object) -> None:
            lines.append({"event": event, **fields})

    monkeypatch.setattr(fallback, "_log", Log())
    return lines


def test_absent_at_start_and_there_later(server: RedisServer, said: list[dict[str, object]]) -> None:
    async def scenario() -> None:
        worker = Worker(server.url)
        assert await worker.log(5) == 3
        server.start()
        worker.skip()
        assert await worker.log(12) == 9
        await worker.redis.close()

    run(scenario)
    assert len(said) == 1


def test_killed_and_back_empty(server: RedisServer) -> None:
    """What a wiped Redis has forgotten is forgotten; nobody is refused for it, and nothing has to be done."""

    async def scenario() -> None:
        one, two = Worker(server.start().url), Worker(server.url)
        assert await one.log(6) + await two.log(6) == 9
        server.kill()
        assert (await one.log(5), await two.log(5)) == (3, 3)
        assert one.fallbacks >= 5
        server.start()
        for worker in (one, two):
            worker.skip()
        assert await one.log(6) + await two.log(6) == 9
        for worker in (one, two):
            await worker.redis.close()

    run(scenario)


def test_frozen_costs_the_time_out_once_and_nothing_from_then_on(server: RedisServer) -> None:
    async def scenario() -> None:
        worker = Worker(server.start().url)
        assert await worker.log(2) == 2
        server.freeze()
        begun = monotonic()
        assert await worker.log(4) == 3
        assert TIMEOUT_S <= monotonic() - begun < TIMEOUT_S + SLACK_S
        server.thaw()
        worker.skip()
        # what was asked of the frozen one it does late: a place more, at most, which ends by itself
        assert await worker.log(9) in (6, 7)
        await worker.redis.close()

    run(scenario)


def test_whoever_asks_a_frozen_one_at_the_same_time_waits_no_longer(server: RedisServer) -> None:
    """More than there are connections; afterwards every connection is of use again and nobody gets another's answer."""

    async def scenario() -> None:
        worker = Worker(server.start().url)
        await worker.log(1)
        server.freeze()
        begun = monotonic()
        answers = await asyncio.gather(
            *(worker.redis.reserve("k", f"{number}") for number in range(3 * CONNECTIONS_MAX)), return_exceptions=True
        )
        assert monotonic() - begun < CONNECTIONS_MAX * TIMEOUT_S  # beside each other, not one after the other
        assert {type(answer) for answer in answers} == {WindowsUnavailableError}
        server.thaw()
        patient = RedisWindows(open_client(server.url, 30), rules_of(LIMITS), 30)
        await patient._client.flushdb()
        asked = [
            worker.redis.check("k") if number % 2 else patient.reserve("other", f"{number}")
            for number in range(CONNECTIONS_MAX)
        ]
        answers = await asyncio.gather(*asked)
        assert answers[1::2] == [None] * (CONNECTIONS_MAX // 2)
        assert answers[0::2].count(None) == 9
        for windows in (worker.redis, patient):
            await windows.close()

    run(scenario)


@pytest.mark.parametrize(
    "answer",
    [
        b"+OK\r\n",
        b":7\r\n",
        b"*2\r\n:1\r\n$1\r\nx\r\n",
        b"*1\r\n:9\r\n",
        b"HTTP/1.1 400 Bad Request\r\n\r\n",
        b"-ERR no\r\n",
    ],
)
def test_nonsense_is_an_outage(answer: bytes) -> None:
    async def scenario(url: str) -> None:
        worker = Worker(url)
        assert await worker.log(5) == 3
        assert worker.fallbacks > 0
        await worker.redis.close()

    with nonsense(answer) as url:
        run(lambda: scenario(url))


def test_one_that_drips_is_left_at_the_time_out_all_the_same() -> None:
    """Each read is short enough, all of them together are not."""

    async def scenario(url: str) -> None:
        worker = Worker(url)
        begun = monotonic()
        assert await worker.log(1) == 1
        assert monotonic() - begun < TIMEOUT_S + SLACK_S
        assert worker.fallbacks > 0
        await worker.redis.close()

    with nonsense(b"$100\r\n", *[b"x"] * 100, pause_s=TIMEOUT_S / 5) as url:
        run(lambda: scenario(url))


def test_all_questions_of_a_decision_together_have_one_time_out() -> None:
    """A script that Redis does not know is sent to it and asked for again."""

    async def scenario(url: str) -> None:
        worker = Worker(url)
        with pytest.raises(WindowsUnavailableError, match="TimeoutError"):
            await worker.redis.check("k")
        await worker.redis.close()

    with nonsense(b"-NOSCRIPT it is not here\r\n", pause_s=TIMEOUT_S * 0.7) as url:
        run(lambda: scenario(url))


def test_cancelled_questions_leave_no_answer_to_others(server: RedisServer) -> None:
    """Guarantees A4, at random moments of the exchange."""

    async def scenario() -> None:
        windows = RedisWindows(open_client(server.start().url, 30), rules_of(LIMITS), 30)
        for key in ("full", "open"):
            for number in range(9 if key == "full" else 0):
                assert await windows.commit(key, f"{number}", False) is None
        for turn in range(200):
            task = asyncio.get_running_loop().create_task(windows.reserve("full", f"r{turn}"))
            for _ in range(turn % 12):
                await asyncio.sleep(0)
            task.cancel()
            assert await windows.check("open") is None
            assert isinstance(await windows.reserve("full", "r"), Full)
            await asyncio.gather(task, return_exceptions=True)
        await windows.close()

    run(scenario)


async def test_whether_it_answers_at_all(server: RedisServer) -> None:
    server.start()
    assert await answers(server.url, TIMEOUT_S * 4)
    with pytest.raises(ValueError, match="scheme"):
        await answers("http://127.0.0.1", TIMEOUT_S)
