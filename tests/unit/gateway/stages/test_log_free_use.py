import asyncio

import pytest

from tollway.catalog.preset import FreeLimits, Preset
from tollway.errors import Code, Problem
from tollway.gateway.exchange import Exchange
from tollway.gateway.stages import log_free_use
from tollway.identity.caller import Caller
from tollway.limits.addresses import row_name
from tollway.limits.store import FreeUse
from tollway.wire.chat import parse_chat
from unit.gateway.fakes import (
    ANONYMOUS,
    CALLER,
    HOSTED,
    NOW,
    FakeFreeUseLog,
    body_of,
    exchange,
    free_uses,
    services,
    settled,
)

ONE = Preset(free=FreeLimits(hosted_count=1, promotion_count=1))


def holding(place: str = "k", caller: Caller = CALLER) -> Exchange:
    one = exchange()
    one.address = "2001:db8::1"
    one.request, one.caller, one.place = parse_chat(body_of(model=HOSTED.upper())), caller, place
    return one


def test_without_a_place_nothing_is_counted() -> None:
    log = FakeFreeUseLog()
    assert log_free_use.run(holding(""), services(free=free_uses(log=log))) is False
    assert log.uses == []


@pytest.mark.parametrize(("caller", "user"), [(CALLER, "user-1"), (ANONYMOUS, None)])
def test_a_use_is_counted_and_stored(caller: Caller, user: str | None) -> None:
    log, one = FakeFreeUseLog(), holding(caller=caller)
    free = free_uses(ONE, log=log)
    asyncio.run(free.windows.reserve("k", one.id))
    assert asyncio.run(settled(log_free_use.run(one, services(free=free)))) is True
    address = row_name(free.secret, "2001:db8::/64", NOW.date())
    assert log.uses == [FreeUse("request-1", address, HOSTED, user, NOW)]
    assert asyncio.run(free.windows.reserve("k", "next"))
    assert bool(asyncio.run(free.windows.check("k"))) == (caller is ANONYMOUS)


def test_a_row_that_cannot_be_stored_is_no_reason_to_refuse() -> None:
    free = free_uses(log=FakeFreeUseLog(away=True))
    assert asyncio.run(settled(log_free_use.run(holding(), services(free=free)))) is True


@pytest.mark.parametrize(
    ("others", "caller", "code"),
    [
        ([("other", False)], CALLER, Code.FREE_LIMIT_REACHED),
        ([("other", True)], ANONYMOUS, Code.PROMOTION_LIMIT_REACHED),
    ],
)
def test_who_lost_the_place_is_refused_and_not_stored(
    others: list[tuple[str, bool]], caller: Caller, code: Code
) -> None:
    log = FakeFreeUseLog()
    free = free_uses(ONE, log=log)
    for name, anonymous in others:
        asyncio.run(free.windows.commit("k", name, anonymous))
    problem = asyncio.run(settled(log_free_use.run(holding(caller=caller), services(free=free))))
    assert isinstance(problem, Problem)
    assert problem.code is code
    assert log.uses == []


def test_one_who_left_is_not_counted() -> None:
    log, one = FakeFreeUseLog(), holding()
    one.client.gone = True
    problem = log_free_use.run(one, services(free=free_uses(log=log)))
    assert isinstance(problem, Problem)
    assert problem.code is Code.CLIENT_GONE
    assert log.uses == []
