import asyncio
from dataclasses import replace

import pytest

from tollway.catalog.feed.reading import FeedError
from tollway.upstream import feeds
from tollway.upstream.feeds import HttpSources
from unit.upstream.scripted import Serve, run, upstream
from unit.upstream.test_client import leading_to
from unit.upstream.test_fetch import HELLO, MISSING, says

BUSY = b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n"
LATER = b"HTTP/1.1 429 Slow\r\nRetry-After: %d\r\nContent-Length: 0\r\n\r\n"
MOVED = b"HTTP/1.1 302 Found\r\nLocation: http://elsewhere/\r\nContent-Length: 0\r\n\r\n"


async def got(serve: Serve, path: str = "/models", retries: int = 2) -> bytes | str | None:
    """The body, None for 404, or why there is none."""
    async with upstream(serve) as up:
        client, to = leading_to(up)
        place = replace(to, head=(b"GET /api/v1", b" HTTP/1.1\r\nHost: up.example\r\n"))
        try:
            return await HttpSources(client, {"openrouter": place}, pause_s=0.001).get("openrouter", path, retries)
        except FeedError as error:
            return str(error)
        finally:
            client.close()


@pytest.mark.parametrize(
    ("answers", "expected", "requests"),
    [
        ((HELLO,), b"hello", 1),
        ((MISSING,), None, 1),
        ((BUSY, BUSY, HELLO), b"hello", 3),
        ((LATER % 0, HELLO), b"hello", 2),
        ((BUSY,), "openrouter /models: status 503", 3),
        ((LATER % 11, HELLO), "openrouter /models: status 429", 1),
        ((MOVED, HELLO), "openrouter /models: status 302", 1),
        ((b"HTTP/1.1 401 No\r\nContent-Length: 0\r\n\r\n",), "openrouter /models: status 401", 1),
    ],
)
def test_answers(answers: tuple[bytes, ...], expected: bytes | str | None, requests: int) -> None:
    async def work() -> None:
        asked: list[bytes] = []
        assert await got(says(*answers, asked=asked)) == expected
        assert len(asked) == requests
        assert asked[0].startswith(b"GET /api/v1/models HTTP/1.1\r\nHost: up.example\r\n")

    run(work())


def test_how_often_is_up_to_who_asks_and_the_query_is_not_told() -> None:
    async def work() -> None:
        asked: list[bytes] = []
        assert await got(says(BUSY, asked=asked), "/x?secret=1", 0) == "openrouter /x: status 503"
        assert len(asked) == 1
        assert asked[0].startswith(b"GET /api/v1/x?secret=1 ")

    run(work())


def test_a_broken_connection_is_tried_again() -> None:
    async def work() -> None:
        connections = 0

        async def breaks(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            nonlocal connections
            connections += 1
            await reader.readuntil(b"\r\n\r\n")
            if connections == 2:
                writer.write(HELLO)
                await writer.drain()

        assert await got(breaks) == b"hello"
        assert connections == 2

    run(work())


def test_an_answer_has_a_bound_and_is_not_asked_for_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feeds, "BODY_BYTES_MAX", 4)

    async def work() -> None:
        asked: list[bytes] = []
        answer = await got(says(HELLO, asked=asked))
        assert isinstance(answer, str)
        assert answer.startswith("openrouter /models: too_large")
        assert len(asked) == 1

    run(work())


def test_a_source_that_drips_has_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feeds, "CALL_S", 0.3)

    async def drips(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
        for _ in range(1_000):
            writer.write(b"x")
            await writer.drain()
            await asyncio.sleep(0.05)

    async def work() -> None:
        assert await got(drips) == "openrouter /models: no answer within 0.3 s"

    run(work())
