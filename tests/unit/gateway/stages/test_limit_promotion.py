import asyncio

import pytest

from tollway.catalog.classification import Classification
from tollway.catalog.preset import FreeLimits, Preset
from tollway.errors import Code, Problem
from tollway.gateway.exchange import Exchange
from tollway.gateway.stages import limit_promotion
from tollway.identity.caller import Caller
from tollway.limits.addresses import window_name
from unit.gateway.fakes import ANONYMOUS, CALLER, PRESET, exchange, free_uses, services, settled

ONE_A_DAY = Preset(free=FreeLimits(promotion_count=1, promotion_text="Sign in, please."))


def asks(model: str, caller: Caller) -> Exchange:
    one = exchange()
    one.address = "2001:db8::1"
    one.kind, one.caller = Classification(PRESET).kind_of(model), caller
    return one


@pytest.mark.parametrize(
    ("model", "caller", "is_refused"),
    [
        ("x/y:free", ANONYMOUS, True),
        ("x/y:free", CALLER, False),
        ("vendor/name", ANONYMOUS, False),
    ],
)
def test_nobody_is_told_to_sign_in_once_the_day_is_full(model: str, caller: Caller, is_refused: bool) -> None:
    free, one = free_uses(ONE_A_DAY), asks(model, caller)
    everything, key = services(free=free), window_name(free.secret, "2001:db8::/64")
    assert asyncio.run(settled(limit_promotion.run(one, everything))) is None
    asyncio.run(free.windows.commit(key, "r", is_anonymous=True))
    problem = asyncio.run(settled(limit_promotion.run(one, everything)))
    if not is_refused:
        assert problem is None
        return
    assert isinstance(problem, Problem)
    assert (problem.code, problem.shown) == (Code.PROMOTION_LIMIT_REACHED, "Sign in, please.")
