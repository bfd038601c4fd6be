"""What the catalog needs from storage: dated prices, with the facts of the model they are for, and endpoints."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime
from typing import Final, Protocol

from tollway.catalog.endpoints import Endpoints
from tollway.catalog.model import Price

OWN_PREFIX: Final = "settings/"  # of versions of prices in tollway.toml: kept for the books, offered by the file alone


@dataclass(frozen=True, slots=True)
class PriceRow:
    """One dated price of one provider's model.

    `model_id` is the public id callers name, `context_length` in tokens where the source knows it, `checked` the day
    the source was last looked at.
    """

    provider_id: str
    upstream_model: str
    model_id: str
    name: str
    context_length: int | None
    price: Price
    source: str
    checked: date


class PriceStore(Protocol):
    """Raises StoreUnavailableError when the database cannot answer."""

    async def in_force(self, now: datetime) -> tuple[PriceRow, ...]:
        """The price of each provider's model at `now`."""
        ...

    async def find(self, version: str) -> PriceRow | None:
        """The price of that version, in force or not."""
        ...

    async def add(self, rows: Iterable[PriceRow]) -> int:
        """Insert rows whose version is not there yet; how many were new. Nothing is ever changed in place."""
        ...


class EndpointStore(Protocol):
    """Raises StoreUnavailableError when the database cannot answer."""

    async def endpoints(self) -> Endpoints:
        """Of every model, at most as many as `catalog/endpoints.py` takes."""
        ...

    async def replace_endpoints(self, endpoints: Endpoints) -> None:
        """These instead of all that were stored."""
        ...
