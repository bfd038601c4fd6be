import asyncio
import gzip
import socket
from itertools import pairwise

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tollway.deadlines import Deadlines
from tollway.gateway.upstream_port import Failure, FailureKind
from tollway.settings import Limits
from tollway.upstream.connection import Connection
from unit.upstream.scripted import LOOPS, Sink, read_request, run, says, upstream

HELLO = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"
UNFRAMED = b"HTTP/1.1 200 OK\r\n\r\nhello"
INTERIM = b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n"
TRAILER = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nX-Late: 1\r\n\r\n"


@pytest.mark.parametrize("loop", LOOPS)
@pytest.mark.parametrize(
    ("answer", "is_kept"),
    [
        (HELLO, True),
        (CHUNKED, True),
        (TRAILER, True),
        (INTERIM * 10 + HELLO, True),
        (HELLO.replace(b"OK\r\n", b"OK\r\nConnection: close\r\n"), False),
        (HELLO.replace(b"1.1", b"1.0"), False),
        (HELLO + b"x", False),
        (HELLO + HELLO, False),
        (CHUNKED + b"\r\n", True),  # an empty line between answers is no answer
        (CHUNKED + HELLO, False),
    ],
)
def test_a_connection_is_kept_only_after_an_exact_end(answer: bytes, is_kept: bool, loop: str) -> None:
    async def scenario() -> None:
        async with upstream(says(answer)) as up:
            for _ in range(3):
                sink = await up.ask()
                assert (sink.status, sink.body, sink.failure) == (200, b"hello", None)
                await asyncio.sleep(0)
            assert up.connections == (1 if is_kept else 3)

    run(scenario(), loop)


@pytest.mark.parametrize("loop", LOOPS)
def test_a_body_without_framing_ends_with_its_connection(loop: str) -> None:
    async def scenario() -> None:
        async with upstream(says(UNFRAMED, stays=False)) as up:
            for _ in range(2):
                sink = await up.ask()
                assert (sink.body, sink.failure) == (b"hello", None)
            assert (up.connections, up.pool.idle) == (2, 0)

    run(scenario(), loop)


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (b"SSH-2.0\r\n\r\n", FailureKind.BROKEN),
        (b"HTTP/2 200 OK\r\n\r\n", FailureKind.BROKEN),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n", FailureKind.BROKEN),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello", FailureKind.BROKEN),
        (b"HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\nhello", FailureKind.BROKEN),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nhello", FailureKind.BROKEN),
        (b"HTTP/1.1 101 Switching\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n", FailureKind.BROKEN),
        (INTERIM * 11 + HELLO, FailureKind.BROKEN),
        (b"HTTP/1.1 200 OK\r\nContent-Encoding: br\r\nContent-Length: 1\r\n\r\nx", FailureKind.BROKEN),
        (b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 5\r\n\r\nhello", FailureKind.BROKEN),
        (b"HTTP/1.1 200 OK\r\nX: " + b"x" * 3_000 + b"\r\nContent-Length: 5\r\n\r\nhello", FailureKind.TOO_LARGE),
        (b"HTTP/1.1 200 OK\r\nX: " + b"x" * 3_000, FailureKind.TOO_LARGE),
        (b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 400 + b"\r\n", FailureKind.TOO_LARGE),
    ],
)
def test_what_is_no_answer_is_refused(answer: bytes, kind: FailureKind) -> None:
    async def scenario() -> None:
        async with upstream(says(answer), Limits(upstream_headers_bytes=2_000)) as up:
            sink = await up.ask()
            assert sink.failure
            assert (sink.failure.kind, sink.failure.may_have_billed) == (kind, True)
            assert up.pool.idle == 0

    run(scenario())


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (b"", FailureKind.NO_ANSWER),
        (b"HTTP/1.1 2", FailureKind.BROKEN),
        (INTERIM, FailureKind.BROKEN),
        (HELLO[:-1], FailureKind.BROKEN),
        (CHUNKED[:-2], FailureKind.BROKEN),
        (HELLO.replace(b"OK\r\n", b"OK\r\nTransfer-Encoding: xchunked\r\n").replace(b"Content-Length: 5\r\n", b""),
         FailureKind.BROKEN),
    ],
)  # fmt: skip
def test_an_end_in_the_middle(answer: bytes, kind: FailureKind) -> None:
    async def scenario() -> None:
        async with upstream(says(answer, stays=False)) as up:
            sink = await up.ask()
            assert sink.failure
            assert (sink.failure.kind, sink.failure.may_have_billed) == (kind, True)

    run(scenario())


def test_a_kept_connection_that_died_is_told_apart() -> None:
    async def once(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        writer.write(HELLO)
        await read_request(reader)  # and no answer to this one

    async def scenario() -> None:
        async with upstream(once) as up:
            assert (await up.ask()).body == b"hello"
            await asyncio.sleep(0)
            sink = await up.ask()
            assert sink.failure
            assert (sink.failure.kind, sink.failure.may_have_billed) == (FailureKind.STALE, True)

    run(scenario())


@pytest.mark.parametrize("framed", [True, False])
def test_a_coded_body_is_decoded_and_its_end_is_checked(framed: bool) -> None:
    packed = gzip.compress(b"hello" * 1_000)

    def answer(body: bytes) -> bytes:
        length = b"Content-Length: %d\r\n" % len(body) if framed else b""
        return b"HTTP/1.1 200 OK\r\nContent-Encoding: GZIP\r\n%b\r\n%b" % (length, body)

    async def scenario() -> None:
        async with upstream(says(answer(packed), stays=framed)) as up:
            assert (await up.ask()).body == b"hello" * 1_000
        async with upstream(says(answer(packed[:-3]), stays=framed)) as up:
            sink = await up.ask()
            assert sink.failure
            assert sink.failure.kind is FailureKind.BROKEN

    run(scenario())


@pytest.mark.parametrize("status", [204, 304])
def test_answers_that_never_have_a_body(status: int) -> None:
    async def scenario() -> None:
        async with upstream(says(b"HTTP/1.1 %d X\r\n\r\n" % status)) as up:
            for _ in range(2):
                assert (await up.ask()).status == status
                await asyncio.sleep(0)
            assert up.connections == 1

    run(scenario())


# waiting


@pytest.mark.parametrize("loop", LOOPS)
def test_a_request_that_is_not_read_is_waited_for_as_such(loop: str) -> None:
    release = asyncio.Event()

    async def deaf(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
        writer.transport.pause_reading()  # type: ignore[attr-defined]  # a stream's transport reads as well
        await release.wait()

    async def scenario() -> None:
        async with upstream(deaf) as up:
            connection = await up.pool.connect()
            assert not isinstance(connection, Failure)
            sink, now = Sink(), up.clock.now
            connection.send(b"POST / HTTP/1.1\r\n\r\n", b"x" * 50_000_000, sink, now + 5, now + 9)
            assert (connection.deadline, connection.waiting_for) == (now + 5, "the request to be sent")
            up.clock.now += 4.9
            up.deadlines.sweep()
            assert not sink.over.is_set()
            up.clock.now += 0.2
            up.deadlines.sweep()
            assert sink.failure
            assert (sink.failure.kind, sink.failure.may_have_billed) == (FailureKind.TIMEOUT, False)
            release.set()

    run(scenario(), loop)


def test_a_request_that_was_read_waits_for_its_headers() -> None:
    release = asyncio.Event()

    async def slow(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        read.set()
        await release.wait()

    async def scenario() -> None:
        async with upstream(slow) as up:
            connection = await up.pool.connect()
            assert not isinstance(connection, Failure)
            sink, now = Sink(), up.clock.now
            head = b"POST / HTTP/1.1\r\nContent-Length: 9000000\r\n\r\n"
            connection.send(head, b"x" * 9_000_000, sink, now + 5, now + 9)
            connection.end_by(now + 7)  # its client has gone: the wait that begins later is bounded as well
            await read.wait()
            assert (connection.deadline, connection.waiting_for) == (now + 7, "response headers")
            up.clock.now += 8
            up.deadlines.sweep()
            assert sink.failure
            assert (sink.failure.kind, sink.failure.may_have_billed) == (FailureKind.TIMEOUT, True)
            release.set()

    read = asyncio.Event()
    run(scenario())


def test_an_answer_to_half_a_request_ends_the_connection() -> None:
    async def hasty(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.transport.pause_reading()  # type: ignore[attr-defined]  # a stream's transport reads as well
        writer.write(b"HTTP/1.1 413 Too Large\r\nContent-Length: 5\r\n\r\nhello")
        await answered.wait()

    async def scenario() -> None:
        async with upstream(hasty) as up:
            sink = await up.ask(b"x" * 50_000_000)
            assert (sink.status, sink.body) == (413, b"hello")
            await asyncio.sleep(0)
            assert up.pool.idle == 0
            answered.set()

    answered = asyncio.Event()
    run(scenario())


def test_what_nobody_reads_is_not_asked_for() -> None:
    """Paused, at most what was on its way arrives; resumed, everything does."""

    async def flood(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % (1 << 25))
        for _ in range(1 << 9):
            writer.write(b"x" * (1 << 16))
            await writer.drain()

    class Stopping(Sink):
        def body_arrived(self, data: bytes) -> None:
            super().body_arrived(data)
            if self.pieces == 1:
                connection.pause_reading()

    async def scenario() -> None:
        nonlocal connection
        async with upstream(flood) as up:
            made = await up.pool.connect()
            assert not isinstance(made, Failure)
            connection = made
            sink = Stopping()
            connection.send(b"POST / HTTP/1.1\r\nContent-Length: 0\r\n\r\n", b"", sink, up.clock.now, up.clock.now)
            await sink.heard.wait()
            for _ in range(50):
                await asyncio.sleep(0)
            assert len(sink.body) <= 1 << 19
            connection.resume_reading()
            await sink.over.wait()
            assert (len(sink.body), sink.failure) == (1 << 25, None)

    connection = None
    run(scenario())


def test_abandoned_it_says_nothing_more() -> None:
    async def endless(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        while not writer.transport.is_closing():
            writer.write(b"x" * 1_000)
            await writer.drain()

    class Leaving(Sink):
        def body_arrived(self, data: bytes) -> None:
            super().body_arrived(data)
            connection.abandon()

    async def scenario() -> None:
        nonlocal connection
        async with upstream(endless) as up:
            made = await up.pool.connect()
            assert not isinstance(made, Failure)
            connection, sink = made, Leaving()
            connection.send(b"POST / HTTP/1.1\r\nContent-Length: 0\r\n\r\n", b"", sink, up.clock.now, up.clock.now)
            await sink.heard.wait()
            while up.pool.open:
                await asyncio.sleep(0)
            assert (sink.pieces, sink.over.is_set(), len(up.deadlines)) == (1, False, 0)

    connection = None
    run(scenario())


# However it is cut


class Wire:
    """A transport that notes whether it was closed."""

    def __init__(self) -> None:
        self.is_closed = False

    def set_write_buffer_limits(self, **_: int) -> None: ...

    def write(self, _: bytes) -> None: ...

    def abort(self) -> None:
        self.is_closed = True


def received(pieces: list[bytes]) -> tuple[bytes | None, bool]:
    """The body of an answer that ended well, else None, and whether its connection was kept."""
    kept: list[Connection] = []
    connection = Connection(Deadlines(), Limits(), kept.append, lambda _: None)
    wire, sink = Wire(), Sink()
    connection.connection_made(wire)  # type: ignore[arg-type]  # as much of a transport as it needs
    connection.send(b"", b"", sink, 1, 1)
    for piece in pieces:
        if piece and not wire.is_closed:
            connection.data_received(piece)
    ended = sink.over.is_set() and not sink.failure
    return (sink.body if ended else None), bool(kept) and not wire.is_closed


def cut(data: bytes, places: list[int]) -> list[bytes]:
    at = [0, *sorted(place % len(data) for place in places), len(data)]
    return [data[begin:end] for begin, end in pairwise(at)]


CHUNKS = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + (
    b"3\r\none\r\n3\r\ntwo\r\n9\r\n1\r\n3\r\n89 \r\n4;x=y\r\nfour\r\n05\r\nfive!\r\n0\r\n\r\n"
)
ODD = (b"", b"\r\n", b"\n", b"\r", b"0", b"1", b"f", b"+", b"_", b" ", b";", b"-", b"x")


@given(st.lists(st.integers(0, 10**6), max_size=6))
@example([])
def test_chunks_are_the_same_however_they_are_cut(places: list[int]) -> None:
    assert received(cut(CHUNKS, places)) == (b"onetwo1\r\n3\r\n89 fourfive!", True)


@given(
    st.integers(0, len(CHUNKS)), st.sampled_from(ODD), st.integers(0, 2), st.lists(st.integers(0, 10**6), max_size=6)
)
def test_past_the_parser_nothing_is_taken_that_it_refuses(at: int, odd: bytes, less: int, places: list[int]) -> None:
    """Byte by byte everything goes through the parser."""
    data = CHUNKS[:at] + odd + CHUNKS[at + less :]
    body, _ = received([bytes([byte]) for byte in data])
    same, is_kept = received(cut(data, places))
    assert same == body
    assert body is not None or not is_kept
