"""Costs of one answer: exact decimals in USD, one rounding to whole micro-dollars at the end.

Source: guarantees M2, M3, M9; response-path 6.4, §14.
"""

from decimal import Decimal, localcontext
from typing import Final

from tollway.catalog.model import Price
from tollway.money import EXACT, Microdollars, checked, round_usd
from tollway.wire.usage import Usage

IMPLAUSIBLE_FACTOR: Final = 10  # guarantees M3: more than ten times the worst case is not a report

# OpenRouter takes 5 % of the real price for requests with a caller's own key. Source: response-path 6.4.
OWN_KEY_FEE_DIVISOR: Final = 20
_FEE_TOLERANCE_USD: Final = Decimal("0.0000011")


def list_cost(usage: Usage, price: Price, images: int = 0) -> Microdollars:
    """What `usage` costs at `price`, rounded half up once.

    Cached and written prompt tokens have their own price where there is one and cost as much as any other where not.
    images: images in the request. Raises MoneyOverflowError beyond 64 bits.
    """
    units = price.units
    cached, written = usage.cached_tokens, usage.cache_write_tokens
    amount = usage.completion_tokens * units.completion + units.request + images * units.image
    if cached or written:
        plain = max(0, usage.prompt_tokens - cached - written)
        amount += plain * units.prompt + cached * units.cached + written * units.written
    else:
        amount += usage.prompt_tokens * units.prompt
    return checked((2 * amount + units.per_microdollar) // (2 * units.per_microdollar))


def worst_case(
    prompt_tokens_max: int, completion_tokens_max: int, price: Price, choices: int = 1, images: int = 0
) -> Microdollars:
    """The most an answer within these bounds can cost, rounded up, so that no `list_cost` within them is above it.

    Every prompt token counts at the dearest of its prices; `completion_tokens_max` is per choice.
    Raises MoneyOverflowError beyond 64 bits.
    """
    units = price.units
    amount = (
        prompt_tokens_max * units.dearest_prompt
        + choices * completion_tokens_max * units.completion
        + units.request
        + images * units.image
    )
    return checked(-(-amount // units.per_microdollar))


def reported_cost(usage: Usage) -> Microdollars | None:
    """The cost the upstream names: its inference cost where a caller's own key was used there (`is_byok`), else `cost`.

    None where it names none. Source: response-path 6.4.
    """
    cost_usd = usage.upstream_cost_usd if usage.is_byok else usage.cost_usd
    return None if cost_usd is None else round_usd(cost_usd)


def is_plausible(tokens: int, tokens_max: int) -> bool:
    """A reported figure, tokens or micro-dollars, is at most ten times what the request could use at worst (M3)."""
    return tokens <= IMPLAUSIBLE_FACTOR * tokens_max


def contradictions(usage: Usage) -> tuple[str, ...]:
    """What does not fit together in the reported costs: for the log, never blocking. Source: response-path 6.4."""
    cost, upstream_cost = usage.cost_usd or Decimal(0), usage.upstream_cost_usd or Decimal(0)
    if usage.is_byok is None and (cost or upstream_cost):
        return ("no is_byok but a cost",)
    with localcontext(EXACT):
        difference = abs(OWN_KEY_FEE_DIVISOR * cost - upstream_cost)
    if usage.is_byok and cost and difference > _FEE_TOLERANCE_USD:
        return ("the upstream's inference cost is not 20 times the fee",)
    return ()
