import asyncio

from tollway.gateway.closers import release_place
from unit.gateway.fakes import exchange, free_uses, services


def test_a_place_comes_back_unless_it_counted() -> None:
    free, one = free_uses(), exchange()
    everything = services(free=free)
    assert release_place.run(one, everything) is None  # the request ended before there was any
    one.place = ""
    assert release_place.run(one, everything) is None
    one.place = "k"
    asyncio.run(free.windows.reserve("k", one.id))
    asyncio.run(release_place.run(one, everything))
    assert not free.windows.holds("k", one.id)
    one.is_logged = True
    assert release_place.run(one, everything) is None
