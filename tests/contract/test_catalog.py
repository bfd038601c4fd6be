"""PriceStore: dated prices, exact to the last digit."""

from datetime import date, datetime, timedelta
from decimal import Decimal

from contract.scenario import START
from tollway.catalog.model import Price
from tollway.catalog.store import PriceRow
from tollway.storage.sql.catalog import SqlPrices
from tollway.storage.sql.database import Database


def _price(version: str, effective_from: datetime, prompt: str, model: str = "vendor/model") -> PriceRow:
    price = Price(
        version=version,
        effective_from=effective_from,
        prompt_usd=Decimal(prompt),
        completion_usd=Decimal("0.000015"),
        cached_usd=Decimal("0.00000030"),
        request_usd=Decimal("0.01"),
    )
    return PriceRow(
        "openrouter", model, model, "Vendor: Model", 200_000, price, "https://example.com", date(2026, 2, 1)
    )


OLD = _price("v1", START - timedelta(days=30), "0.000003")
NEW = _price("v2", START, "0.0000025")
NEXT = _price("v3", START + timedelta(days=30), "0.000002")
OTHER = _price("w1", START, "0.000000000001", "vendor/other")


async def test_a_price_survives_digit_for_digit(database: Database) -> None:
    prices = SqlPrices(database)
    assert await prices.add([OTHER]) == 1
    (row,) = await prices.in_force(START)
    assert row == OTHER
    assert str(row.price.cached_usd) == "3.0E-7" == str(OTHER.price.cached_usd)
    assert row.price.cache_write_usd is None


async def test_the_latest_price_that_has_begun_is_in_force(database: Database) -> None:
    prices = SqlPrices(database)
    await prices.add([NEXT, OLD, OTHER, NEW])
    assert await prices.in_force(START - timedelta(microseconds=1)) == (OLD,)
    assert await prices.in_force(START) == (NEW, OTHER)
    assert await prices.in_force(START + timedelta(days=365)) == (NEXT, OTHER)
    assert await prices.future(START) == (NEXT,)
    assert await prices.future(START - timedelta(days=1)) == (NEW, NEXT, OTHER)


async def test_a_version_is_stored_once_and_never_changed(database: Database) -> None:
    prices = SqlPrices(database)
    assert await prices.add([OLD, NEW, OLD]) == 2
    revision = await prices.revision()
    assert await prices.add([_price("v1", START, "9")]) == 0
    assert await prices.revision() == revision
    assert await prices.in_force(START) == (NEW,)
    assert await prices.add([NEXT]) == 1
    assert await prices.revision() == revision + 1
