import asyncio
import errno
import socket

import pytest

from tollway.gateway.upstream_port import Failure, FailureKind
from tollway.providers.registry import Origin
from tollway.settings import Limits, Timeouts
from tollway.upstream.connection import Connection
from tollway.upstream.pool import Pool
from unit.upstream.scripted import read_request, run, says, upstream

HELLO = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"


async def idle(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await writer.wait_closed()


def test_no_more_connections_than_the_bound() -> None:
    async def scenario() -> None:
        async with upstream(idle, Limits(upstream_in_flight=2)) as up:
            made = [await up.pool.connect() for _ in range(3)]
            assert [isinstance(one, Connection) for one in made] == [True, True, False]
            refused = made[2]
            assert isinstance(refused, Failure)
            assert (refused.kind, refused.may_have_billed) == (FailureKind.SATURATED, False)
            assert up.full == ["upstream_in_flight"]
            assert isinstance(made[0], Connection)
            made[0].close()
            while up.pool.open == 2:
                await asyncio.sleep(0)
            assert isinstance(await up.pool.connect(), Connection)

    run(scenario())


def test_no_more_connects_under_way_than_the_bound() -> None:
    async def scenario() -> None:
        async with upstream(idle, Limits(upstream_connecting=2)) as up:
            made = await asyncio.gather(*(up.pool.connect() for _ in range(5)))
            assert sum(isinstance(one, Connection) for one in made) == 2
            assert up.pool.open == 2
            assert up.full == ["upstream_connecting"] * 3
            assert isinstance(await up.pool.connect(), Connection)

    run(scenario())


@pytest.mark.parametrize("number", [errno.EMFILE, errno.ENFILE])
def test_no_file_for_it_is_no_fault_of_the_upstream(number: int, monkeypatch: pytest.MonkeyPatch) -> None:
    async def no_file(_: str) -> Connection:
        raise OSError(number, "")

    async def scenario() -> None:
        async with upstream(idle) as up:
            monkeypatch.setattr(up.pool, "_connect_to", no_file)
            refused = await up.pool.connect()
            assert isinstance(refused, Failure)
            assert (refused.kind, up.full) == (FailureKind.SATURATED, ["open_files"])
            assert (up.pool.open, up.pool.connecting) == (0, 0)

    run(scenario())


def test_the_last_one_kept_is_taken_first_and_too_many_are_closed() -> None:
    async def scenario() -> None:
        async with upstream(idle, Limits(upstream_idle=2)) as up:
            made = [one for one in [await up.pool.connect() for _ in range(3)] if isinstance(one, Connection)]
            for one in made:
                up.pool.keep(one)
            assert up.pool.idle == 2
            assert [up.pool.take_idle(), up.pool.take_idle(), up.pool.take_idle()] == [made[1], made[0], None]
            assert made[0].reused
            assert not made[2].is_open

    run(scenario())


def test_one_that_died_meanwhile_is_not_taken() -> None:
    async def once(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        writer.write(HELLO)
        await asked.wait()

    async def scenario() -> None:
        async with upstream(once) as up:
            assert (await up.ask()).body == b"hello"
            await asyncio.sleep(0)
            assert up.pool.idle == 1
            asked.set()
            while up.pool.open:
                await asyncio.sleep(0)
            assert up.pool.take_idle() is None

    asked = asyncio.Event()
    run(scenario())


def test_bytes_nobody_asked_for_end_a_kept_connection() -> None:
    async def chatty(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        writer.write(HELLO)
        await asked.wait()
        writer.write(HELLO)
        await reader.read()

    async def scenario() -> None:
        async with upstream(chatty) as up:
            await up.ask()
            await asyncio.sleep(0)
            assert up.pool.idle == 1
            asked.set()
            while up.pool.open:
                await asyncio.sleep(0)
            assert (await up.ask()).body == b"hello"
            assert up.connections == 2

    asked = asyncio.Event()
    run(scenario())


def test_an_idle_connection_grows_old() -> None:
    async def scenario() -> None:
        async with upstream(says(HELLO)) as up:
            await up.ask()
            await asyncio.sleep(0)
            up.clock.now += up.timeouts.upstream_idle_s + 1
            up.deadlines.sweep()
            while up.pool.open:
                await asyncio.sleep(0)
            assert up.pool.take_idle() is None

    run(scenario())


def test_a_closed_pool_keeps_nothing() -> None:
    async def scenario() -> None:
        async with upstream(says(HELLO)) as up:
            await up.ask()
            await asyncio.sleep(0)
            up.pool.close()
            while up.pool.open:
                await asyncio.sleep(0)
            await up.ask()
            await asyncio.sleep(0)
            assert up.pool.idle == 0

    run(scenario())


@pytest.mark.parametrize(
    ("host", "kind"),
    [
        ("127.0.0.1", FailureKind.CONNECT),
        ("no-such-host.invalid", FailureKind.RESOLVE),
        ("a" * 300, FailureKind.RESOLVE),
    ],
)
def test_where_nobody_listens(host: str, kind: FailureKind) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]

    async def scenario() -> None:
        async with upstream(idle) as up:
            pool = Pool(Origin("http", host, port), up.deadlines, up.limits, Timeouts())
            failure = await pool.connect()
            assert isinstance(failure, Failure)
            assert (failure.kind, failure.may_have_billed, pool.open) == (kind, False, 0)

    run(scenario())


def test_a_handshake_that_never_comes_is_a_time_out() -> None:
    async def scenario() -> None:
        async with upstream(idle) as up:
            origin = Origin("https", "127.0.0.1", up.origin.port)
            pool = Pool(origin, up.deadlines, up.limits, Timeouts(connect_s=0.2))
            failure = await pool.connect()
            assert isinstance(failure, Failure)
            assert (failure.kind, failure.may_have_billed, pool.open) == (FailureKind.TIMEOUT, False, 0)

    run(scenario())


def test_the_wrong_protocol_is_no_connection() -> None:
    async def plain(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    async def scenario() -> None:
        async with upstream(plain) as up:
            pool = Pool(Origin("https", "127.0.0.1", up.origin.port), up.deadlines, up.limits, Timeouts())
            failure = await pool.connect()
            assert isinstance(failure, Failure)
            assert (failure.kind, pool.open) == (FailureKind.CONNECT, 0)

    run(scenario())
