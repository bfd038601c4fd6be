import asyncio
import re
from collections.abc import Awaitable, Callable
from functools import wraps
from ipaddress import ip_network

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tollway.errors import Code, Problem
from tollway.http.client_address import ClientAddresses
from tollway.settings import Limits, Timeouts
from unit.http.connection import GET, HOT, Connection, Listener, Transport, hot

TIMEOUTS = Timeouts()


def in_loop(test: Callable[..., Awaitable[None]]) -> Callable[..., None]:
    @wraps(test)
    def run(*arguments: object, **named: object) -> None:
        asyncio.run(test(*arguments, **named))  # type: ignore[arg-type]  # a test is a coroutine function

    return run


# requests


@in_loop
async def test_hot_and_other_routes_alternate_on_one_connection() -> None:
    connection = Connection()
    for _ in range(2):
        await connection.send(hot(b"{1}"), GET, hot(b"{2}"))
    assert connection.statuses == [200] * 6
    assert [inbound.body for inbound in connection.asked] == [b"{1}", b"{2}"] * 2
    assert [scope["path"] for scope in connection.seen] == ["/seen"] * 2
    assert b"connection: close" not in connection.transport.written


@in_loop
async def test_notes_about_a_head_are_kept_for_the_same_head_alone() -> None:
    connection = Connection()
    other = hot(b"3", b"X-Other: 1\r\n")
    await connection.send(hot(b"1"), hot(b"22"), other, hot(b"4"))
    first, second, third, fourth = (inbound.notes for inbound in connection.asked)
    assert first is second
    assert len({id(one) for one in (second, third, fourth)}) == 3


@in_loop
async def test_pipelined_requests_are_answered_in_order() -> None:
    connection = await Connection().send(hot(b"1") + GET + hot(b"2") + hot(b"3") + GET)
    await connection.settle()
    answers = re.findall(rb"(hot|asgi) (\d)", connection.transport.written)
    assert answers == [(b"hot", b"1"), (b"asgi", b"1"), (b"hot", b"2"), (b"hot", b"3"), (b"asgi", b"2")]
    assert [inbound.body for inbound in connection.asked] == [b"1", b"2", b"3"]


@in_loop
async def test_bytes_that_come_while_the_next_request_is_taken_up_go_behind_it() -> None:
    """Between the end of an answer and the turn of what was kept, the loop may deliver more."""
    connection = Connection(holds=True)
    await connection.send(hot(b"1") + hot(b"2")[:-5])
    connection.clients[0].answer(200, b"", b"")
    connection.protocol.data_received(hot(b"2")[-5:])
    await connection.settle()
    assert [inbound.body for inbound in connection.asked] == [b"1", b"2"]


@in_loop
async def test_kept_bytes_are_bounded_while_requests_are_answered() -> None:
    connection = Connection(holds=True)
    flood = hot(b"") * 3_000
    await connection.send(flood)
    for answered in range(50):
        assert connection.transport.paused
        connection.clients[answered].answer(200, b"", b"")
        await connection.settle()
    assert len(connection.asked) == 51


@in_loop
async def test_reading_goes_on_when_what_was_kept_is_used_up() -> None:
    connection = Connection(holds=True)
    body = b"a" * 70_000
    await connection.send(hot(b"1"), hot(body)[:-1])
    assert connection.transport.paused
    connection.clients[0].answer(200, b"", b"")
    await connection.settle()
    assert not connection.transport.paused
    await connection.send(b"a")
    assert connection.asked[1].body == body


@pytest.mark.parametrize("behind", [GET, hot(), b"GE", b"\0"])
@pytest.mark.parametrize("path", [b"/v1/chat/completions", b"/other"])
@pytest.mark.parametrize("in_one_piece", [True, False])
@in_loop
async def test_behind_a_chunked_request_comes_only_the_end(behind: bytes, path: bytes, in_one_piece: bool) -> None:
    connection = Connection(holds=not in_one_piece)
    first = HOT.replace(b"/v1/chat/completions", path) + b"Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n"
    if in_one_piece:
        await connection.send(first + behind)
    else:
        connection.protocol.data_received(first)
        connection.protocol.data_received(behind)
        for client in connection.clients:
            client.answer(200, b"", b"")
        await connection.settle()
    assert connection.statuses == [200]
    assert connection.transport.closed


@in_loop
async def test_after_a_chunked_request_the_connection_lives_on() -> None:
    connection = Connection()
    chunked = HOT + b"Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n"
    await connection.send(chunked, GET, chunked, hot())
    assert connection.statuses == [200] * 4


@in_loop
async def test_the_body_of_other_routes_comes_whole() -> None:
    connection = Connection()
    await connection.send(b"POST /other HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\na", b"b", b"c")
    assert (connection.seen[0]["body"], connection.seen[0]["more_body"]) == (b"abc", False)
    assert connection.seen[0]["method"] == "POST"
    assert connection.seen[0]["client"] == ("192.0.2.7", 50_000)


@in_loop
async def test_http_1_0_gets_no_chunks_and_the_end() -> None:
    connection = Connection(holds=True)
    await connection.send(hot().replace(b"HTTP/1.1", b"HTTP/1.0"))
    client = connection.clients[0]
    client.start_stream(200, b"")
    client.write(b"one")
    client.finish_stream(b"two")
    assert connection.transport.written.endswith(b"\r\nconnection: close\r\n\r\nonetwo")
    assert b"transfer-encoding" not in connection.transport.written
    assert connection.transport.closed


@in_loop
async def test_a_client_that_waits_for_100_gets_it_once() -> None:
    head = HOT + b"Expect: 100-continue\r\nContent-Length: 2\r\n\r\n"
    connection = await Connection().send(head)
    assert connection.statuses == [100]
    await connection.send(b"{", b"}")
    assert connection.statuses == [100, 200]
    connection = await Connection().send(head + b"{}")
    assert connection.statuses == [200]
    connection = Connection(Limits(completion_body_bytes=1))
    assert (await connection.send(head)).statuses == [413]


@in_loop
async def test_too_many_requests_in_flight() -> None:
    connection = Connection(Limits(in_flight=1, queue=0), holds=True)
    await connection.send(hot())
    other = Transport()
    connection.open(other).data_received(hot())
    assert other.written.startswith(b"HTTP/1.1 503 ")
    assert b"retry-after: 1\r\n" in other.written


@in_loop
async def test_a_request_waits_a_second_for_a_place() -> None:
    connection = Connection(Limits(in_flight=1), holds=True)
    await connection.send(hot())
    other = Transport()
    connection.open(other).data_received(hot())
    connection.wait(0.9)
    assert other.written == b""
    connection.wait(0.1)
    assert other.written.startswith(b"HTTP/1.1 503 ")
    assert (len(connection.asked), connection.edge.waiting) == (1, 0)


@in_loop
async def test_a_client_that_leaves_leaves_the_queue() -> None:
    connection = Connection(Limits(in_flight=1), holds=True)
    await connection.send(hot())
    other = connection.open(Transport())
    other.data_received(hot())
    assert connection.edge.waiting == 1
    other.connection_lost(None)
    assert connection.edge.waiting == 0


@in_loop
async def test_nobody_waits_for_a_place_in_a_worker_that_drains() -> None:
    connection = Connection(Limits(in_flight=1), holds=True)
    await connection.send(hot())
    other, late = Transport(), Transport()
    waits, comes_late = connection.open(other), connection.open(late)
    waits.data_received(hot())
    connection.edge.draining = True
    for one in (connection.protocol, waits):
        one.shutdown()
    assert other.written.startswith(b"HTTP/1.1 503 ")
    assert b"connection: close\r\n" in other.written
    assert (connection.transport.written, connection.edge.in_flight, connection.edge.waiting) == (b"", 1, 0)
    comes_late.data_received(hot())
    assert late.written.startswith(b"HTTP/1.1 503 ")


@in_loop
async def test_too_many_connections_of_one_address_are_refused_and_too_many_in_all_are_closed() -> None:
    connection = Connection(Limits(connections=3, connections_per_address=2))
    second, third, fourth = Transport(), Transport(), Transport()
    connection.open(second)
    protocol = connection.open(third)
    assert second.written == b""
    assert third.written.startswith(b"HTTP/1.1 429 ")
    connection.open(fourth)
    assert (fourth.written, fourth.aborted) == (b"", True)
    protocol.connection_lost(None)
    connection.protocol.connection_lost(None)
    fifth = Transport()
    connection.open(fifth)
    assert fifth.written.startswith(b"HTTP/1.1 429 ")


@in_loop
async def test_what_is_known_of_the_peer_comes_with_each_request() -> None:
    proxies = ClientAddresses((ip_network("192.0.2.0/24"),), "", 64)
    for addresses, by_proxy in ((None, False), (proxies, True)):
        connection = await Connection(addresses=addresses).send(hot(), hot())
        assert [(one.peer, one.by_proxy) for one in connection.asked] == [("192.0.2.7", by_proxy)] * 2


# refusals


@in_loop
async def test_a_refusal_is_said_once_and_nothing_after_it() -> None:
    connection = await Connection().send(b"GET / HTTP/1.1\r\n\r\n", hot(), GET, b"\0" * 100_000)
    assert connection.statuses == [400]
    assert connection.is_refused
    body = connection.transport.written.rpartition(b"\r\n\r\n")[2]
    assert b'"code":"malformed_http"' in body
    assert b'"request_id":"' in body
    for header in (b"x-content-type-options: nosniff", b"cache-control: no-store", b"x-request-id: ", b"date: "):
        assert b"\r\n" + header in connection.transport.written
    connection.wait(1)
    assert connection.transport.aborted


@in_loop
async def test_the_answer_before_a_refusal_is_complete() -> None:
    connection = await Connection().send(hot() + b"GET / HTTP/9.9\r\n\r\n")
    await connection.settle()
    assert connection.statuses == [200, 400]
    assert connection.is_refused


# time-outs


@in_loop
async def test_a_silent_connection_is_closed() -> None:
    connection = Connection()
    connection.wait(TIMEOUTS.first_byte_s - 0.1)
    assert not connection.transport.is_closing()
    connection.wait(0.2)
    assert connection.transport.aborted
    assert connection.transport.written == b""


@in_loop
async def test_blank_lines_are_no_sign_of_life() -> None:
    connection = Connection()
    for _ in range(20):
        await connection.send(b"\r", b"\n")
        connection.wait(TIMEOUTS.first_byte_s / 19)
    assert connection.transport.aborted


@in_loop
async def test_dripped_headers_have_a_total() -> None:
    connection = Connection()
    connection.wait(5)
    for byte in HOT:
        await connection.send(bytes([byte]))
        connection.wait(TIMEOUTS.headers_s / (len(HOT) - 2))
    assert connection.statuses == [408]
    assert connection.is_refused


@in_loop
async def test_a_silent_body_is_refused_after_the_grace() -> None:
    connection = await Connection().send(HOT + b"Content-Length: 100000\r\n\r\n" + b"a" * 10)
    connection.wait(TIMEOUTS.body_grace_s)
    assert connection.statuses == []
    connection.wait(1)
    assert connection.statuses == [408]


@pytest.mark.parametrize("framing", [b"Content-Length: 10000000", b"Transfer-Encoding: chunked"])
@in_loop
async def test_a_dripped_body_is_refused_after_the_grace(framing: bytes) -> None:
    connection = await Connection().send(HOT + framing + b"\r\n\r\n")
    seconds = 0
    while not connection.statuses:
        await connection.send(b"1\r\na\r\n" * 1_000)
        connection.wait(1)
        seconds += 1
    assert connection.statuses == [408]
    assert TIMEOUTS.body_grace_s < seconds < TIMEOUTS.body_s


@in_loop
async def test_a_body_that_comes_fast_enough_still_has_a_total() -> None:
    connection = await Connection().send(HOT + b"Content-Length: 10000000\r\n\r\n")
    for _ in range(int(TIMEOUTS.body_s) - 1):
        await connection.send(b"a" * TIMEOUTS.body_bytes_per_s)
        connection.wait(1)
    assert connection.statuses == []
    connection.wait(1)
    assert connection.statuses == [408]


@in_loop
async def test_a_total_below_the_grace_counts() -> None:
    connection = Connection(timeouts=Timeouts(body_s=2))
    await connection.send(HOT + b"Content-Length: 10\r\n\r\n")
    connection.wait(2)
    assert connection.statuses == [408]


@in_loop
async def test_an_idle_connection_is_closed() -> None:
    connection = await Connection().send(hot())
    for _ in range(int(TIMEOUTS.keep_alive_s) - 1):
        connection.wait(1)
    assert not connection.transport.is_closing()
    await connection.send(GET)
    for _ in range(int(TIMEOUTS.keep_alive_s) - 1):
        connection.wait(1)
    assert not connection.transport.is_closing()
    connection.wait(1)
    assert connection.transport.aborted
    assert connection.statuses == [200, 200]


@in_loop
async def test_a_long_answer_is_waited_for() -> None:
    connection = Connection(holds=True)
    await connection.send(hot())
    for _ in range(600):
        connection.wait(1)
    connection.clients[0].answer(200, b"", b"late")
    assert connection.statuses == [200]
    assert not connection.transport.is_closing()


# a client that does not read


async def _stalled(unsent: int = 100_000) -> Connection:
    connection = Connection(holds=True)
    await connection.send(hot())
    connection.clients[0].listener = Listener()
    connection.clients[0].start_stream(200, b"")
    connection.transport.unsent = unsent
    connection.protocol.pause_writing()
    return connection


@in_loop
async def test_a_client_that_takes_nothing_is_dropped() -> None:
    connection = await _stalled()
    for _ in range(29):
        connection.wait(1)
    assert not connection.transport.is_closing()
    connection.wait(1)
    assert connection.transport.aborted
    connection.protocol.connection_lost(None)
    assert connection.clients[0].gone
    assert connection.clients[0].listener.heard == ["paused", "gone"]


@in_loop
async def test_a_client_that_takes_a_little_is_kept() -> None:
    connection = await _stalled()
    for _ in range(200):
        connection.transport.unsent -= 100
        connection.wait(20)
    assert not connection.transport.is_closing()
    connection.transport.unsent = 0
    connection.protocol.resume_writing()
    assert connection.clients[0].listener.heard == ["paused", "resumed"]
    connection.wait(1_000)
    assert not connection.transport.is_closing()


@in_loop
async def test_more_bytes_to_send_are_no_sign_of_life() -> None:
    connection = await _stalled()
    for _ in range(30):
        connection.transport.unsent += 1_000
        connection.wait(1)
    assert connection.transport.aborted


@in_loop
async def test_a_little_that_is_never_taken_counts_too() -> None:
    """Less than makes writing pause."""
    connection = Connection(holds=True)
    await connection.send(hot())
    connection.clients[0].start_stream(200, b"")
    connection.transport.unsent = 50
    for _ in range(2 * int(TIMEOUTS.client_stall_s) + 1):
        connection.wait(1)
    assert connection.transport.aborted


@pytest.mark.parametrize("more", [b"", b"Connection: close\r\n"])
@in_loop
async def test_an_answer_that_is_complete_may_be_taken_slowly(more: bytes) -> None:
    connection = Connection(holds=True)
    await connection.send(hot(more=more))
    connection.transport.unsent = 10_000_000
    connection.clients[0].answer(200, b"", b"big")
    connection.protocol.pause_writing()
    for _ in range(300):
        connection.transport.unsent -= 1_000
        connection.wait(1)
    assert not connection.transport.aborted
    for _ in range(2 * int(TIMEOUTS.client_stall_s)):
        connection.wait(1)
    assert connection.transport.aborted


@in_loop
async def test_the_next_request_knows_that_the_client_is_behind() -> None:
    connection = Connection(holds=True)
    await connection.send(hot() + hot())
    connection.clients[0].answer(200, b"", b"big")
    connection.protocol.pause_writing()
    await connection.settle()
    assert connection.clients[1].paused


@in_loop
async def test_a_client_that_leaves_is_known_to_have_left() -> None:
    connection = Connection(holds=True)
    await connection.send(hot())
    connection.protocol.connection_lost(None)
    client = connection.clients[0]
    assert client.gone
    client.refuse(Problem(Code.OVERLOADED), "id")
    client.write(b"x")
    client.finish_stream(b"y")
    assert connection.transport.written == b""
    assert len(connection.deadlines) == 0


# draining


@in_loop
async def test_an_idle_connection_has_a_moment_for_a_request_that_was_on_its_way() -> None:
    connection = await Connection().send(hot())
    connection.edge.draining = True
    connection.protocol.shutdown()
    connection.wait(0.9)
    await connection.send(hot())
    assert connection.statuses == [200, 200]
    assert connection.transport.written.count(b"connection: close") == 1
    assert connection.transport.closed


@in_loop
async def test_an_idle_connection_is_closed_after_that_moment() -> None:
    connection = await Connection().send(GET)
    connection.edge.draining = True
    connection.protocol.shutdown()
    connection.wait(1)
    assert connection.transport.is_closing()


@in_loop
async def test_a_request_that_has_begun_is_answered() -> None:
    for cut in (5, len(HOT) + 30):
        connection = await Connection().send(hot(b"a" * 100)[:cut])
        connection.edge.draining = True
        connection.protocol.shutdown()
        connection.wait(5)
        await connection.send(hot(b"a" * 100)[cut:])
        assert connection.statuses == [200]
        assert connection.transport.closed


@in_loop
async def test_an_answer_that_has_not_begun_says_that_it_is_the_last() -> None:
    connection = Connection(holds=True)
    await connection.send(hot() + hot())
    connection.edge.draining = True
    connection.protocol.shutdown()
    connection.wait(100)
    connection.clients[0].answer(200, b"", b"")
    await connection.settle()
    assert b"connection: close\r\n" in connection.transport.written
    assert connection.transport.closed
    assert len(connection.asked) == 1


# anything at all

_PARTS = st.sampled_from(
    [
        hot(),
        hot(b'{"model":"x"}'),
        GET,
        HOT + b"Transfer-Encoding: chunked\r\n\r\n",
        b"2\r\n{}\r\n",
        b"0\r\n\r\n",
        b"0\r\nX: y\r\n\r\n",
        b"\r\n",
        b"\n",
        b"\r",
        b"\0",
        HOT,
        b"Content-Length: 5\r\n",
        b"Upgrade: h2c\r\nConnection: upgrade\r\n",
        b"Expect: 100-continue\r\n",
        b"Connection: close\r\n",
        b"Host: b\r\n",
        b" folded\r\n",
        b"x" * 9_000,
        b"CONNECT a:80 HTTP/1.1\r\nHost: a\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"\x16\x03\x01",
    ]
)
_STREAMS = st.lists(st.one_of(_PARTS, _PARTS, st.binary(max_size=20)), min_size=1, max_size=8).map(b"".join)


@settings(max_examples=400, deadline=None)
@given(
    _STREAMS,
    st.lists(st.integers(1, 400), max_size=10),
    st.lists(st.tuples(st.integers(0, 2_000), st.binary(max_size=3)), max_size=3),
)
def test_whatever_comes_is_answered_once_or_refused(
    stream: bytes, cuts: list[int], changes: list[tuple[int, bytes]]
) -> None:
    for at, change in changes:
        stream = stream[: at % (len(stream) + 1)] + change + stream[at % (len(stream) + 1) + len(change) :]
    asyncio.run(_feed(stream, cuts))


async def _feed(stream: bytes, cuts: list[int]) -> None:
    connection = Connection()
    at = 0
    for size in [*cuts, max(1, len(stream))]:
        if piece := stream[at : at + size]:
            await connection.send(piece)
        at += size
    for _ in range(40):
        await connection.settle()
    finals = [status for status in connection.statuses if status != 100]
    served = len(connection.asked) + len(connection.seen)
    refused = [status for status in finals if status != 200]
    assert finals[:served] == [200] * served
    assert finals[served:] in ([], [400], [413], [414], [415], [431])
    assert connection.transport.is_closing() or connection.transport.ended == bool(refused)
    for _ in range(200):
        connection.wait(1)
    assert connection.transport.is_closing()
    assert len([status for status in connection.statuses if status not in (100, 408)]) == len(finals)
