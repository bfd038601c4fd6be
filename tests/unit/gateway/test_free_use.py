import pytest

from tollway.catalog.preset import FreeLimits
from tollway.errors import Code, Problem, Quota
from tollway.gateway.free_use import refusal
from tollway.limits.rules import rules_of
from tollway.limits.store import Full

RULES = rules_of(FreeLimits())


@pytest.mark.parametrize(("ms", "seconds"), [(1, 1), (1_000, 1), (1_001, 2), (3_600_001, 3_601)])
def test_seconds_until_a_place_are_rounded_up(ms: int, seconds: int) -> None:
    """Whoever comes back then is let in."""
    assert refusal(Full(RULES.hosted, ms), "text") == Problem(
        Code.FREE_LIMIT_REACHED, retry_after_s=seconds, quota=Quota(200, seconds)
    )


def test_a_full_day_is_a_matter_of_signing_in() -> None:
    problem = refusal(Full(RULES.promotion, 1_000), "text")
    assert problem == Problem(Code.PROMOTION_LIMIT_REACHED, shown="text")
    assert problem.http_status == 401
