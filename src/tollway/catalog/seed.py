"""Dated prices for a new gateway, taken from the data of the `genai-prices` package. Pure: the data is an argument.

Only what can be charged exactly per text token is seeded. A model that is left out has no price and is refused, never
given away: aliases that move (`~…-latest`), prefixes, batch prices, models that are also priced per image, sound or
hour, prices that depend on the time of day, and models without a price for prompt or completion (but a `:free` model
without any price is free).

Tiers: some models cost more once a prompt is longer than some threshold. The base price is seeded, `tiered` is set, and
`context_length` ends at the lowest threshold, up to which that price is the true one.
Source: https://github.com/pydantic/genai-prices
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from decimal import Decimal, localcontext
from typing import TYPE_CHECKING, Final

from tollway.catalog.model import ZERO, Price
from tollway.money import EXACT

if TYPE_CHECKING:  # importing the package costs 0.4 s; its objects arrive as arguments
    from genai_prices.types import ConditionalPrice, ModelInfo, ModelPrice, Provider, TieredPrices

SEEDED_PROVIDERS: Final = ("openrouter", "openai")
SINCE_EVER: Final = date(1970, 1, 1)

_TOKEN_PRICES: Final = frozenset({"input_mtok", "output_mtok", "cache_read_mtok", "cache_write_mtok"})
# Priced apart from tokens, or not reachable by a chat completion unless it is asked for; not seeded, not a hindrance.
_IGNORED_PRICES: Final = frozenset({"cache_write_1h_mtok", "web_searches_kcount", "storage_searches_kcount"})


@dataclass(frozen=True, slots=True)
class SeedEntry:
    """One dated price of one provider's model, with what its source says about the model.

    `public_id` is what callers name. `context_length` in tokens, None: unknown. `source` is the page the price is from,
    `checked` the day the data was looked at. `tiered`: longer prompts than `context_length` cost more than `price`.
    """

    provider_id: str
    upstream_model: str
    public_id: str
    name: str
    context_length: int | None
    price: Price
    source: str
    checked: date
    tiered: bool = False


def seed_entries(providers: "Iterable[Provider]", package_version: str, checked: date) -> list[SeedEntry]:
    """All prices of SEEDED_PROVIDERS in `providers` (`genai_prices.data.providers`), oldest first for each model.

    package_version: of `genai-prices`, the first part of each price's version id. Prices are USD per token, exact.
    """
    by_id = {provider.id: provider for provider in providers}
    return [
        entry
        for id_ in SEEDED_PROVIDERS
        if id_ in by_id
        for model in by_id[id_].models
        if _is_concrete(id_, model.id)
        for entry in _entries(by_id[id_], model, f"genai-prices/{package_version}", checked)
    ]


def price_at(entries: Iterable[SeedEntry], instant: datetime) -> SeedEntry | None:
    """The entry of one model that is in force at `instant`: the latest that has begun; None before the first."""
    begun = [entry for entry in entries if entry.price.effective_from <= instant]
    return max(begun, key=lambda entry: entry.price.effective_from, default=None)


def _is_concrete(provider_id: str, model_id: str) -> bool:
    """The id names one model that a chat completion can ask for."""
    if model_id.startswith(("~", "ft:")) or model_id.endswith(("-", ":batch")):
        return False
    return provider_id == "openai" or "/" in model_id


def _entries(provider: "Provider", model: "ModelInfo", origin: str, checked: date) -> Iterator[SeedEntry]:
    dated = _dated(model.prices)
    if not dated or not all(_is_chargeable(model.id, prices) for _, prices in dated):
        return
    for start, prices in dated:
        threshold = _lowest_tier(prices)
        limits = [limit for limit in (model.context_window, threshold) if limit is not None]
        yield SeedEntry(
            provider_id=provider.id,
            upstream_model=model.id,
            public_id=model.id if provider.id == "openrouter" else f"{provider.id}/{model.id}",
            name=model.name or model.id,
            context_length=min(limits, default=None),
            price=_price(prices, f"{origin}/{provider.id}/{model.id}/{start.isoformat()}", start),
            source=(provider.pricing_urls or [""])[0],
            checked=checked,
            tiered=threshold is not None,
        )


def _dated(prices: "ModelPrice | list[ConditionalPrice]") -> "list[tuple[date, ModelPrice]]":
    """(first day, prices), ascending; empty when a price depends on more than the day.

    The package lets the last entry of the list that has begun win, so one that begins no earlier than a later entry of
    the list never counts.
    """
    if not isinstance(prices, list):
        return [(SINCE_EVER, prices)]
    kept: list[tuple[date, ModelPrice]] = []
    for entry in reversed(prices):
        if entry.constraint is None:
            start = SINCE_EVER
        elif hasattr(entry.constraint, "start_date"):
            start = entry.constraint.start_date
        else:
            return []
        if not kept or start < kept[-1][0]:
            kept.append((start, entry.prices))
    return kept[::-1]


def _is_chargeable(model_id: str, prices: "ModelPrice") -> bool:
    """Text tokens in and out have a price, and nothing else a chat completion may use has one of its own."""
    names = {name for name, value in vars(prices).items() if value is not None}
    if not names - _IGNORED_PRICES:
        return model_id.endswith(":free")
    return names <= _TOKEN_PRICES | _IGNORED_PRICES and {"input_mtok", "output_mtok"} <= names


def _price(prices: "ModelPrice", version: str, start: date) -> Price:
    return Price(
        version=version,
        effective_from=datetime.combine(start, time(), UTC),
        prompt_usd=_per_token(prices.input_mtok) or ZERO,
        completion_usd=_per_token(prices.output_mtok) or ZERO,
        cached_usd=_per_token(prices.cache_read_mtok),
        cache_write_usd=_per_token(prices.cache_write_mtok),
    )


def _per_token(per_million: "Decimal | TieredPrices | None") -> Decimal | None:
    if per_million is None:
        return None
    with localcontext(EXACT):
        return (per_million if isinstance(per_million, Decimal) else per_million.base) / 1_000_000


def _lowest_tier(prices: "ModelPrice") -> int | None:
    """Prompt tokens up to which the base price holds; None without tiers."""
    values = [vars(prices).get(name) for name in _TOKEN_PRICES]
    starts = [tier.start for value in values if not isinstance(value, Decimal | None) for tier in value.tiers]
    return min(starts, default=None)
