"""Fill the dated price table from the data of the `genai-prices` package, once per version of it."""

from datetime import datetime
from importlib import import_module
from importlib.metadata import version
from typing import Final

from tollway.catalog.seed import SeedEntry, seed_entries
from tollway.catalog.store import PriceRow
from tollway.storage.sql.catalog import SqlPrices

PACKAGE: Final = "genai-prices"


async def seed_prices(prices: SqlPrices, now: datetime) -> int:
    """How many prices were added. Raises StoreUnavailableError."""
    installed = version(PACKAGE)
    if any(row.price.version.startswith(f"{PACKAGE}/{installed}/") for row in await prices.in_force(now)):
        return 0
    data = import_module("genai_prices.data")  # lazy: 0.4 s that only the first start of a version pays
    return await prices.add(_row(entry) for entry in seed_entries(data.providers, installed, now.date()))


def _row(entry: SeedEntry) -> PriceRow:
    return PriceRow(
        provider_id=entry.provider_id,
        upstream_model=entry.upstream_model,
        model_id=entry.public_id,
        name=entry.name,
        context_length=entry.context_length,
        price=entry.price,
        source=entry.source,
        checked=entry.checked,
    )
