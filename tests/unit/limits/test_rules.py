import pytest

from tollway.catalog.preset import FreeLimits
from tollway.limits.rules import Rule, Window, rules_of


def test_the_defaults_are_those_of_the_page() -> None:
    rules = rules_of(FreeLimits())
    assert rules.hosted == Rule(Window.HOSTED, 200, 3_600_000)
    assert rules.promotion == Rule(Window.PROMOTION, 10_000, 86_400_000)


@pytest.mark.parametrize(("count", "sharers", "share"), [(200, 3, 66), (200, 201, 1), (0, 1, 0), (0, 4, 0), (1, 1, 1)])
def test_shares_together_are_no_more_than_the_whole_unless_one_is_all_there_is(
    count: int, sharers: int, share: int
) -> None:
    rules = rules_of(FreeLimits(hosted_count=count, promotion_count=count), sharers)
    assert (rules.hosted.most, rules.promotion.most) == (share, share)
    assert share * sharers <= count or share == 1
