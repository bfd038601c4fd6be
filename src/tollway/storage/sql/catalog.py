"""SqlPrices: dated prices. A row is never changed: a new price is a new version with a later date."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, bindparam, select, update

from tollway.catalog.model import Price
from tollway.catalog.store import OWN_PREFIX, PriceRow
from tollway.storage.sql.database import Database
from tollway.storage.sql.insertion import insert_missing
from tollway.storage.sql.tables import deployment, prices

_PRICES: Final = select(
    prices.c.provider_id,
    prices.c.upstream_model,
    prices.c.model_id,
    prices.c.name,
    prices.c.context_length,
    prices.c.source,
    prices.c.checked,
    prices.c.version,
    prices.c.effective_from,
    prices.c.prompt_usd,
    prices.c.completion_usd,
    prices.c.cached_usd,
    prices.c.cache_write_usd,
    prices.c.request_usd,
    prices.c.image_usd,
).order_by(prices.c.provider_id, prices.c.upstream_model, prices.c.effective_from, prices.c.version)
_DATED: Final = _PRICES.where(prices.c.version.not_like(f"{OWN_PREFIX}%"))
_PAST: Final = _DATED.where(prices.c.effective_from <= bindparam("now"))
_FUTURE: Final = _DATED.where(prices.c.effective_from > bindparam("now"))
_ONE: Final = _PRICES.where(prices.c.version == bindparam("version"))
_VERSIONS: Final = select(prices.c.version)
_BUMP: Final = update(deployment).where(deployment.c.key == "catalog_revision").values(value=deployment.c.value + 1)
_REVISION: Final = select(deployment.c.value).where(deployment.c.key == "catalog_revision")


class SqlPrices:
    """Implements PriceStore."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def in_force(self, now: datetime) -> tuple[PriceRow, ...]:
        """The price of each provider's model at `now`, ordered by provider and model."""

        def work(connection: Connection) -> tuple[PriceRow, ...]:
            rows = connection.execute(_PAST, {"now": now}).all()
            latest = {(row.provider_id, row.upstream_model): row for row in rows}  # the last one wins
            return tuple(_price_row(row) for row in latest.values())

        return await self._database.read(work)

    async def future(self, now: datetime) -> tuple[PriceRow, ...]:
        """The prices that come into force after `now`, ordered by provider, model and date."""
        return await self._database.read(
            lambda connection: tuple(_price_row(row) for row in connection.execute(_FUTURE, {"now": now}).all())
        )

    async def find(self, version: str) -> PriceRow | None:
        """The price of that version, in force or not."""

        def work(connection: Connection) -> PriceRow | None:
            row = connection.execute(_ONE, {"version": version}).first()
            return None if row is None else _price_row(row)

        return await self._database.read(work)

    async def add(self, rows: Iterable[PriceRow]) -> int:
        """Insert the prices whose version is not there yet; how many were new. The catalog revision grows if any."""
        stored = await self._database.read(lambda connection: set(connection.execute(_VERSIONS).scalars()))
        missing = [row for row in rows if row.price.version not in stored]
        if not missing:
            return 0

        return await self._database.write(lambda connection: add_prices(connection, missing))

    async def revision(self) -> int:
        """A number that grows whenever prices are added."""
        return await self._database.read(lambda connection: int(connection.execute(_REVISION).scalar_one()))


def add_prices(connection: Connection, rows: Iterable[PriceRow]) -> int:
    """Insert the missing ones inside a transaction; how many were."""
    added = sum(insert_missing(connection, prices, _values(row)) for row in rows)
    if added:
        connection.execute(_BUMP)
    return added


def _values(row: PriceRow) -> dict[str, Any]:
    price = row.price
    return {
        "version": price.version,
        "provider_id": row.provider_id,
        "upstream_model": row.upstream_model,
        "model_id": row.model_id,
        "name": row.name,
        "context_length": row.context_length,
        "effective_from": price.effective_from,
        "prompt_usd": price.prompt_usd,
        "completion_usd": price.completion_usd,
        "cached_usd": price.cached_usd,
        "cache_write_usd": price.cache_write_usd,
        "request_usd": price.request_usd,
        "image_usd": price.image_usd,
        "source": row.source,
        "checked": row.checked,
    }


def _price_row(values: Sequence[Any]) -> PriceRow:
    provider_id, upstream_model, model_id, name, context_length, source, checked, *price = values
    return PriceRow(provider_id, upstream_model, model_id, name, context_length, Price(*price), source, checked)
