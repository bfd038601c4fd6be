"""What an answer used: tokens as they are shown, and its cost, said by the gateway or computed from its list prices.

Source: catalog-and-clients C.9.8, D.4.6.
"""

from collections.abc import Sequence
from decimal import ROUND_HALF_UP, Decimal, localcontext
from enum import StrEnum
from typing import Final

from msgspec import UNSET, Struct, UnsetType

from tollway.catalog.client_model import Cost
from tollway.money import EXACT
from tollway.wire.usage import Usage

_MILLION: Final = Decimal(1_000_000)
_SHOWN_DIGITS: Final = Decimal("0.000001")
_UNKNOWN: Final = "-"


class CostSource(StrEnum):
    """Who says what it cost. MIXED: of several requests, some the one and some the other."""

    GATEWAY = "gateway"
    COMPUTED = "computed"
    MIXED = "mixed"


class Tokens(Struct, frozen=True):
    """`input` is without what was read from a cache, `output` without reasoning."""

    total: int = 0
    input: int = 0
    output: int = 0
    reasoning: int = 0
    cache_read: int = 0
    cache_write: int = 0


class Spent(Struct, frozen=True):
    """Of one request or of several. tokens None: nothing was said. cost: USD, None: unknown."""

    tokens: Tokens | None = None
    cost: Decimal | None = None
    source: CostSource | None = None


NOTHING_SAID: Final = Spent()


def spent_of(usage: Usage | None, prices: Cost | None) -> Spent:
    """prices: USD per million tokens of the model's list; None: it has none."""
    if usage is None:
        return NOTHING_SAID
    tokens = _tokens(usage) if usage.is_counted else None
    if usage.cost_usd is not None:
        return Spent(tokens, usage.cost_usd, CostSource.GATEWAY)
    cost = _computed(usage, prices) if prices and usage.is_counted else None
    return Spent(tokens, cost, None if cost is None else CostSource.COMPUTED)


def _tokens(usage: Usage) -> Tokens:
    return Tokens(
        total=usage.prompt_tokens + usage.completion_tokens,
        input=max(0, usage.prompt_tokens - usage.cached_tokens),
        output=max(0, usage.completion_tokens - usage.reasoning_tokens),
        reasoning=usage.reasoning_tokens,
        cache_read=usage.cached_tokens,
        cache_write=usage.cache_write_tokens,
    )


def _computed(usage: Usage, prices: Cost) -> Decimal | None:
    """Cached and written prompt tokens cost as much as any other where the list has no price of theirs.

    None where a price is needed that is not known.
    """
    cached, written = usage.cached_tokens, usage.cache_write_tokens
    counted = (
        (usage.prompt_tokens - cached - written, prices.input),
        (usage.completion_tokens, prices.output),
        (cached, _or(prices.cache_read, prices.input)),
        (written, _or(prices.cache_write, prices.input)),
    )
    total = Decimal(0)
    with localcontext(EXACT):
        for tokens, price in counted:
            if tokens and price is UNSET:
                return None
            total += tokens * price if tokens and price is not UNSET else 0
        return total / _MILLION


def _or(price: Decimal | UnsetType, other: Decimal | UnsetType) -> Decimal | UnsetType:
    return other if price is UNSET else price


def added(spent: Sequence[Spent]) -> Spent:
    """Together. What one of them does not say is not known of all of them."""
    if not spent:
        return NOTHING_SAID
    tokens = [one.tokens for one in spent if one.tokens is not None]
    costs = [one.cost for one in spent if one.cost is not None]
    sources = {one.source for one in spent if one.source}
    with localcontext(EXACT):
        cost = sum(costs, Decimal(0)) if len(costs) == len(spent) else None
    source = None if cost is None else sources.pop() if len(sources) == 1 else CostSource.MIXED
    return Spent(_sum(tokens) if len(tokens) == len(spent) else None, cost, source)


def _sum(tokens: Sequence[Tokens]) -> Tokens:
    return Tokens(*(sum(getattr(one, name) for one in tokens) for name in Tokens.__struct_fields__))


def usd_text(cost: Decimal | None) -> str:
    """`$0.00411`: at most six decimals, and no noughts behind them; `<$0.000001` for what would look like nothing."""
    if cost is None:
        return _UNKNOWN
    if 0 < cost < _SHOWN_DIGITS:
        return f"<${_SHOWN_DIGITS:f}"
    shown = cost.quantize(_SHOWN_DIGITS, ROUND_HALF_UP, EXACT)
    return f"${f'{shown:f}'.rstrip('0').rstrip('.')}"


def footer(spent: Spent, gateway_name: str) -> str:
    """One line: tokens by kind, where there are any of the rarer kinds, and the cost with who says so."""
    return f"tokens {tokens_line(spent.tokens)} · cost {usd_text(spent.cost)}{_source_text(spent.source, gateway_name)}"


def tokens_line(tokens: Tokens | None) -> str:
    if tokens is None:
        return _UNKNOWN
    optional = (
        (tokens.reasoning, "reasoning"),
        (tokens.cache_read, "cache read"),
        (tokens.cache_write, "cache write"),
    )
    rarer = (f"{count:,} {name}" for count, name in optional if count)
    return ", ".join([f"{tokens.input:,} in", f"{tokens.output:,} out", *rarer])


def _source_text(source: CostSource | None, gateway_name: str) -> str:
    match source:
        case CostSource.GATEWAY:
            return f" (said by {gateway_name})"
        case CostSource.COMPUTED:
            return " (computed from list prices)"
        case CostSource.MIXED:
            return f" (partly said by {gateway_name}, partly computed from list prices)"
    return ""
