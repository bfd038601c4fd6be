"""Which windows count free use, and how much each takes. Source: request-path 5.2, 5.3, A.9.

Hosted: requests for hosted free models, of anybody at one address. Promotion: those of them that nobody signed in for;
it is what decides whether an anonymous caller may use any free model at all.
"""

from enum import StrEnum

from msgspec import Struct

from tollway.catalog.preset import FreeLimits


class Window(StrEnum):
    HOSTED = "hosted"
    PROMOTION = "promotion"


class Rule(Struct, frozen=True):
    """At most `most` entries in any `length_ms` milliseconds."""

    window: Window
    most: int
    length_ms: int


class FreeRules(Struct, frozen=True):
    hosted: Rule
    promotion: Rule


def rules_of(limits: FreeLimits, sharers: int = 1) -> FreeRules:
    """The preset's limits as rules. `sharers`: processes that count each for itself, so each may give away its part
    (rounded down, but one at least, because none of them may lock everybody out)."""
    return FreeRules(
        Rule(Window.HOSTED, _share(limits.hosted_count, sharers), limits.hosted_window_s * 1000),
        Rule(Window.PROMOTION, _share(limits.promotion_count, sharers), limits.promotion_window_s * 1000),
    )


def _share(count: int, sharers: int) -> int:
    return max(count // sharers, min(count, 1))
