"""Costs of one answer: exact decimals in USD, one rounding to whole micro-dollars at the end.

Source: guarantees M2, M3, M9; response-path 6.4, §14.
"""

from decimal import ROUND_CEILING, Decimal, localcontext
from typing import Final

from tollway.catalog.model import Price
from tollway.money import EXACT, MICRODOLLARS_PER_USD, Microdollars, MoneyOverflowError, checked, round_usd
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
    plain_tokens = max(0, usage.prompt_tokens - usage.cached_tokens - usage.cache_write_tokens)
    with localcontext(EXACT):
        amount_usd = (
            plain_tokens * price.prompt_usd
            + usage.cached_tokens * _or_prompt(price.cached_usd, price)
            + usage.cache_write_tokens * _or_prompt(price.cache_write_usd, price)
            + usage.completion_tokens * price.completion_usd
            + price.request_usd
            + images * price.image_usd
        )
    return round_usd(amount_usd)


def worst_case(
    prompt_tokens_max: int, completion_tokens_max: int, price: Price, choices: int = 1, images: int = 0
) -> Microdollars:
    """The most an answer within these bounds can cost, rounded up, so that no `list_cost` within them is above it.

    Every prompt token counts at the dearest of its prices; `completion_tokens_max` is per choice.
    Raises MoneyOverflowError beyond 64 bits.
    """
    prompt_usd = max(price.prompt_usd, _or_prompt(price.cached_usd, price), _or_prompt(price.cache_write_usd, price))
    with localcontext(EXACT):
        amount = MICRODOLLARS_PER_USD * (
            prompt_tokens_max * prompt_usd
            + choices * completion_tokens_max * price.completion_usd
            + price.request_usd
            + images * price.image_usd
        )
        if amount.adjusted() > 30:
            raise MoneyOverflowError("the amount does not fit into 64 bits")
        return checked(int(amount.to_integral_value(ROUND_CEILING)))


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


def _or_prompt(price_usd: Decimal | None, price: Price) -> Decimal:
    return price.prompt_usd if price_usd is None else price_usd
