"""PriceStore: dated prices, exact to the last digit."""

from datetime import date, datetime, timedelta
from decimal import Decimal

from contract.scenario import START
from tollway.catalog.model import Price
from tollway.catalog.store import OWN_PREFIX, PriceRow
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


async def test_a_price_is_found_by_its_version_in_force_or_not(database: Database) -> None:
    prices = SqlPrices(database)
    await prices.add([OLD, NEW, NEXT, OTHER])
    for row in (OLD, NEW, NEXT, OTHER):
        assert await prices.find(row.price.version) == row
    for version in ("", "v", "V1", "v1 ", "%", "v_"):
        assert await prices.find(version) is None


async def test_own_prices_are_kept_for_the_books_and_never_offered(database: Database) -> None:
    """tollway.toml alone says which of them are in force: one that was taken out of it must not come back."""
    prices = SqlPrices(database)
    own = _price(f"{OWN_PREFIX}vendor/model@01234567", START - timedelta(days=1), "0.001")
    own_next = _price(f"{OWN_PREFIX}vendor/mine@01234567", START + timedelta(days=1), "0.001", "vendor/mine")
    alike = _price("settings-of-others/v1", START, "0.002", "vendor/alike")
    assert await prices.add([own, own_next, OLD, alike]) == 4
    assert await prices.find(own.price.version) == own
    assert await prices.in_force(START) == (alike, OLD)
    assert await prices.in_force(START + timedelta(days=9)) == (alike, OLD)
    assert await prices.future(START - timedelta(days=99)) == (alike, OLD)
    assert await prices.add([own]) == 0
