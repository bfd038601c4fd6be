import asyncio
import socket
from dataclasses import replace

import pytest

from tollway.gateway.upstream_port import Failure, FailureKind
from tollway.providers.registry import Origin
from tollway.settings import Limits
from tollway.upstream.fetch import ANSWER_S, BODY_BYTES_MAX, fetch
from unit.upstream.scripted import LOOPS, Serve, Upstream, run, upstream
from unit.upstream.test_client import leading_to

HEAD = b"GET /v1/generation?id=gen-1 HTTP/1.1\r\nHost: up.example\r\n"
HELLO = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n3;x=y\r\nllo\r\n0\r\n\r\n"
MISSING = b"HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\n\r\n{}"
EARLY = b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n"


def says(*answers: bytes, stays: bool = True, asked: list[bytes] | None = None) -> Serve:
    """Answers one GET after another of a connection, the last one again and again."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for number in range(100):
            head = await reader.readuntil(b"\r\n\r\n")
            if asked is not None:
                asked.append(head)
            writer.write(answers[min(number, len(answers) - 1)])
            await writer.drain()
            if not stays:
                return

    return serve


async def get(up: Upstream) -> tuple[int, bytes] | Failure:
    client, to = leading_to(up)
    return await fetch(client, to, HEAD)


def kind(answer: tuple[int, bytes] | Failure) -> FailureKind:
    assert isinstance(answer, Failure), answer
    return answer.kind


@pytest.mark.parametrize("loop", LOOPS)
@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (HELLO, (200, b"hello")),
        (CHUNKED, (200, b"hello")),
        (EARLY + HELLO, (200, b"hello")),
        (MISSING, (404, b"{}")),
        (b"HTTP/1.1 204 No Content\r\n\r\n", (204, b"")),
        (b"HTTP/1.1 503 Busy\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", (503, b"")),
        (b"HTTP/1.1 302 Found\r\nLocation: http://elsewhere/\r\nContent-Length: 0\r\n\r\n", (302, b"")),
    ],
)
def test_one_connection_serves_one_after_another(answer: bytes, expected: tuple[int, bytes], loop: str) -> None:
    asked: list[bytes] = []

    async def scenario() -> None:
        async with upstream(says(answer, asked=asked)) as up:
            client, to = leading_to(up)
            for _ in range(3):
                assert await fetch(client, to, HEAD) == expected
                await asyncio.sleep(0)
            assert (up.connections, client.pools()[0].idle) == (1, 1)
            client.close()

    run(scenario(), loop)
    assert asked == [HEAD + b"\r\n"] * 3


@pytest.mark.parametrize("loop", LOOPS)
def test_a_body_without_framing_ends_with_its_connection(loop: str) -> None:
    async def scenario() -> None:
        async with upstream(says(b"HTTP/1.1 200 OK\r\n\r\nhello", stays=False)) as up:
            assert await get(up) == (200, b"hello")

    run(scenario(), loop)


@pytest.mark.parametrize("loop", LOOPS)
@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (b"", FailureKind.NO_ANSWER),
        (b"HTTP/1.1 2", FailureKind.BROKEN),
        (HELLO[:-1], FailureKind.BROKEN),
        (CHUNKED[:-2], FailureKind.BROKEN),
        (EARLY, FailureKind.BROKEN),
        (b"SSH-2.0\r\n\r\n", FailureKind.BROKEN),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nhello", FailureKind.BROKEN),
    ],
)
def test_an_answer_that_broke_off_is_none(answer: bytes, expected: FailureKind, loop: str) -> None:
    async def scenario() -> None:
        async with upstream(says(answer, stays=False)) as up:
            assert kind(await get(up)) is expected

    run(scenario(), loop)


@pytest.mark.parametrize("framing", [b"Content-Length: %d", b"Transfer-Encoding: chunked", b"X: y"])
def test_an_answer_that_is_too_large_is_left_before_it_ends(framing: bytes) -> None:
    gone = asyncio.Event()

    async def endless(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        length = framing.replace(b"%d", b"%d" % (100 * BODY_BYTES_MAX))
        writer.write(b"HTTP/1.1 200 OK\r\n%b\r\n\r\n" % length)
        try:
            while True:
                writer.write((b"10000\r\n%b\r\n" if b"chunked" in framing else b"%b") % (b"x" * 65_536))
                await writer.drain()
        except ConnectionError:
            gone.set()

    async def scenario() -> None:
        async with upstream(endless) as up:
            client, to = leading_to(up)
            assert kind(await fetch(client, to, HEAD)) is FailureKind.TOO_LARGE
            await gone.wait()
            assert client.pools()[0].open == 0

    run(scenario())


@pytest.mark.parametrize(("size", "fits"), [(BODY_BYTES_MAX, True), (BODY_BYTES_MAX + 1, False)])
def test_the_largest_answer(size: int, fits: bool) -> None:
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (size, b"x" * size)

    async def scenario() -> None:
        async with upstream(says(answer)) as up:
            found = await get(up)
            assert found == (200, b"x" * size) if fits else kind(found) is FailureKind.TOO_LARGE

    run(scenario())


@pytest.mark.parametrize(
    "begun", [b"", b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", HELLO[:-1]]
)
def test_an_answer_must_be_whole_in_time(begun: bytes) -> None:
    asked = asyncio.Event()

    async def slow(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(begun)
        await writer.drain()
        asked.set()
        await reader.read()

    async def scenario() -> None:
        async with upstream(slow) as up:
            answer = asyncio.ensure_future(get(up))
            await asked.wait()
            for _ in range(20):
                await asyncio.sleep(0)
            up.clock.now += ANSWER_S - 1
            up.deadlines.sweep()
            await asyncio.sleep(0)
            assert not answer.done()
            up.clock.now += 1
            up.deadlines.sweep()
            assert kind(await answer) is FailureKind.TIMEOUT

    run(scenario())


def test_where_nobody_listens() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]

    async def scenario() -> None:
        async with upstream(says(HELLO)) as up:
            client, to = leading_to(up)
            nowhere = replace(to, origin=Origin("http", "127.0.0.1", port))
            assert kind(await fetch(client, nowhere, HEAD)) is FailureKind.CONNECT

    run(scenario())


def test_a_kept_connection_that_died_is_not_the_last_word() -> None:
    async def once(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(HELLO)
        await reader.readuntil(b"\r\n\r\n")  # and no answer to this one

    async def scenario() -> None:
        async with upstream(once) as up:
            client, to = leading_to(up)
            for number in (1, 2, 3):
                assert await fetch(client, to, HEAD) == (200, b"hello")
                await asyncio.sleep(0)
                assert up.connections == number

    run(scenario())


def test_a_pool_that_is_full_is_said() -> None:
    async def scenario() -> None:
        async with upstream(says(HELLO), Limits(upstream_connecting=1)) as up:
            client, to = leading_to(up)
            answers = await asyncio.gather(*(fetch(client, to, HEAD) for _ in range(3)))
            assert answers.count((200, b"hello")) == 1
            assert [kind(one) for one in answers if isinstance(one, Failure)] == [FailureKind.SATURATED] * 2

    run(scenario())


@pytest.mark.parametrize("loop", LOOPS)
def test_who_stops_waiting_leaves_no_connection_that_others_could_be_given(loop: str) -> None:
    asked = asyncio.Event()

    async def late(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        asked.set()
        await reader.read()

    async def scenario() -> None:
        async with upstream(late) as up:
            client, to = leading_to(up)
            answer = asyncio.ensure_future(fetch(client, to, HEAD))
            await asked.wait()
            answer.cancel()
            with pytest.raises(asyncio.CancelledError):
                await answer
            while client.pools()[0].open:
                await asyncio.sleep(0)
            assert client.pools()[0].idle == 0

    run(scenario(), loop)
