"""One request from the books, with every step of the arithmetic: from stored facts alone."""

from collections.abc import Iterator
from dataclasses import dataclass, fields
from decimal import Decimal, localcontext
from typing import Any, Final

from tollway.catalog.model import Price
from tollway.money import EXACT, MICRODOLLARS_PER_USD
from tollway.storage.sql.catalog import SqlPrices
from tollway.storage.sql.database import Database
from tollway.storage.sql.entries import Entry, entries_of
from tollway.storage.sql.usage import SqlUsage, UsageRow

_DERIVED: Final = frozenset({"units", "is_free"})  # fields of a price that say again what the others say
_OPERATORS: Final = frozenset(
    {
        "absorbed_microdollars",
        "corrected_absorbed_microdollars",
        "market_cost_microdollars",
        "reported_cost_microdollars",
        "attempts",
    }
)


@dataclass(frozen=True, slots=True)
class Line:
    """One class of tokens: how many, at which price in USD, worth how much in USD, all exact."""

    what: str
    count: int
    price_usd: Decimal
    worth_usd: Decimal


@dataclass(frozen=True, slots=True)
class Explained:
    """`price` None: not stored any more."""

    row: UsageRow
    price: Price | None
    entries: tuple[Entry, ...]

    @property
    def user_id(self) -> str:
        return self.row.user_id

    @property
    def organization_id(self) -> str | None:
        return self.row.organization_id

    @property
    def lines(self) -> list[Line]:
        return list(_arithmetic(self.row, self.price))

    @property
    def as_fields(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "request": _fields_of(self.row),
            "price": None
            if self.price is None
            else {name: value for name, value in _fields_of(self.price).items() if name not in _DERIVED},
            "arithmetic": [_fields_of(line) for line in self.lines],
            "list_cost_usd": f"{Decimal(self.row.list_cost_microdollars) / MICRODOLLARS_PER_USD:f}",
            "entries": [_fields_of(one) for one in self.entries],
        }

    @property
    def for_callers(self) -> dict[str, Any]:
        """Without what is between the operator and the upstreams."""
        told = self.as_fields
        request = {name: value for name, value in told["request"].items() if name not in _OPERATORS}
        return {**told, "request": request, "entries": []}


async def explain(database: Database, request_id: str) -> Explained | None:
    """None: it is not in the books. Raises StoreUnavailableError."""
    row = await SqlUsage(database).find(request_id)
    if row is None:
        return None
    price = await SqlPrices(database).find(row.price_version)
    entries = await database.read(lambda connection: entries_of(connection, request_id))
    return Explained(row, price.price if price else None, entries)


def _arithmetic(row: UsageRow, price: Price | None) -> Iterator[Line]:
    """Tokens by class times their price; the sum, rounded half up once, is the list cost."""
    if price is None:
        return
    cached = price.prompt_usd if price.cached_usd is None else price.cached_usd
    written = price.prompt_usd if price.cache_write_usd is None else price.cache_write_usd
    plain = row.prompt_tokens - row.cached_tokens - row.cache_write_tokens
    with localcontext(EXACT):
        for what, count, usd in (
            ("prompt", plain, price.prompt_usd),
            ("cached", row.cached_tokens, cached),
            ("cache write", row.cache_write_tokens, written),
            ("completion", row.completion_tokens, price.completion_usd),
            ("request", int(bool(row.prompt_tokens or row.completion_tokens)), price.request_usd),
        ):
            if count and usd:
                yield Line(what, count, usd, count * usd)


def _fields_of(one: Any) -> dict[str, Any]:
    return {each.name: getattr(one, each.name) for each in fields(one)}
