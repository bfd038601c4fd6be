"""Dated prices from payload `openrouter`: a row for each model whose price is not the one in force.

A row is never changed: one that returns to an old price gets a new version, named after when it was read.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Final

from tollway.catalog.feed.guards import prices_of
from tollway.catalog.feed.shapes import FeedModel
from tollway.catalog.model import Price, normal_id
from tollway.catalog.store import PriceRow

PROVIDER: Final = "openrouter"  # the record whose prices these are
SOURCE: Final = "https://openrouter.ai/api/v1/models"


def synced_prices(models: Mapping[str, FeedModel], in_force: Iterable[PriceRow], now: datetime) -> tuple[PriceRow, ...]:
    """What is to be added to `in_force`. Models without a usable price have none here either: see `unpriced`."""
    known = {row.upstream_model: row for row in in_force if row.provider_id == PROVIDER}
    found = (_row(model, now) for model in models.values())
    return tuple(row for row in found if row is not None and not _is_same(row, known.get(row.upstream_model)))


def unpriced(models: Mapping[str, FeedModel]) -> frozenset[str]:
    """Models that are listed without a usable price, by their lower-cased id: nobody may be served by an old one."""
    return frozenset(normal_id(model.id) for model in models.values() if prices_of(model.pricing) is None)


def _row(model: FeedModel, now: datetime) -> PriceRow | None:
    prices = prices_of(model.pricing)
    if prices is None:
        return None
    price = Price(
        version=f"{PROVIDER}/{model.id}/{now:%Y-%m-%dT%H:%M:%S.%fZ}",
        effective_from=now,
        prompt_usd=prices["prompt"],
        completion_usd=prices["completion"],
        cached_usd=prices.get("input_cache_read"),
        cache_write_usd=prices.get("input_cache_write"),
        request_usd=prices["request"],
        image_usd=prices["image"],
    )
    return PriceRow(
        provider_id=PROVIDER,
        upstream_model=model.id,
        model_id=model.id,
        name=model.name,
        context_length=model.context_length or None,
        price=price,
        source=SOURCE,
        checked=now.date(),
    )


def _is_same(row: PriceRow, known: PriceRow | None) -> bool:
    """Whether nothing about it is new, for those who pay or look at the list."""
    return known is not None and _facts(row) == _facts(known)


def _facts(row: PriceRow) -> tuple[object, ...]:
    price = row.price
    return (
        price.prompt_usd,
        price.completion_usd,
        price.cached_usd,
        price.cache_write_usd,
        price.request_usd,
        price.image_usd,
        row.model_id,
        row.name,
        row.context_length,
    )
