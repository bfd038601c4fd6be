import asyncio

from tollway.deadlines import Deadlines
from tollway.providers.registry import Origin
from tollway.settings import Limits, Timeouts
from tollway.upstream.connection import Connection
from tollway.upstream.guarded import GuardedPools
from tollway.upstream.pool import Pool
from unit.upstream.scripted import run, upstream
from unit.upstream.test_pool import idle


def pools(most: int) -> GuardedPools:
    deadlines = Deadlines()
    return GuardedPools(lambda origin: Pool(origin, deadlines, Limits(), Timeouts()), most)


def origin(name: str) -> Origin:
    return Origin("http", name, 80, is_guarded=True)


def test_the_pool_used_longest_ago_makes_room() -> None:
    kept = pools(2)
    first, second = kept.of(origin("a")), kept.of(origin("b"))
    assert kept.of(origin("a")) is first
    third = kept.of(origin("c"))
    assert list(kept) == [first, third]
    assert kept.of(origin("b")) is not second


def test_a_pool_with_requests_under_way_stays_and_its_idle_neighbour_is_closed() -> None:
    async def scenario() -> None:
        async with upstream(idle) as up:
            here = Origin("http", "127.0.0.1", up.origin.port, is_guarded=True)
            kept = pools(2)
            busy, resting = kept.of(here), kept.of(origin("a"))
            assert busy
            assert resting
            connection = await busy.connect()
            assert isinstance(connection, Connection)
            other = kept.of(origin("b"))
            assert list(kept) == [busy, other]
            busy.keep(connection)
            kept.of(origin("c"))
            assert list(kept) == [other, kept.of(origin("c"))]
            assert not connection.is_open  # what was idle there is closed

    run(scenario())


def test_no_room_while_all_are_busy() -> None:
    async def scenario() -> None:
        async with upstream(idle) as up:
            here = Origin("http", "127.0.0.1", up.origin.port, is_guarded=True)
            kept = pools(1)
            busy = kept.of(here)
            assert busy
            connection = await busy.connect()
            assert isinstance(connection, Connection)
            assert kept.of(origin("a")) is None
            assert kept.of(here) is busy
            connection.close()
            while busy.open:
                await asyncio.sleep(0)
            assert kept.of(origin("a"))

    run(scenario())
