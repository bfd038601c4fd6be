"""What the catalog needs from storage: dated prices with the facts of the model they are for, endpoints, snapshots."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime
from typing import Final, Protocol

from tollway.catalog.endpoints import Endpoints
from tollway.catalog.feed.payloads import Texts
from tollway.catalog.model import Price

OWN_PREFIX: Final = "settings/"  # of versions of prices in tollway.toml: kept for the books, offered by the file alone
HOSTED_SUFFIX: Final = "@hosted"  # of versions of what the operator pays for


def is_hosted_price(version: str) -> bool:
    """Whether it is the price, nothing, of a hosted model."""
    return version.startswith(OWN_PREFIX) and version.endswith(HOSTED_SUFFIX)


def is_own_price(version: str) -> bool:
    """Whether the operator has set it in tollway.toml."""
    return version.startswith(OWN_PREFIX) and not version.endswith(HOSTED_SUFFIX)


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


@dataclass(frozen=True, slots=True)
class StoredSnapshot:
    """`id` grows with each one. The texts are as they were written, byte for byte."""

    id: int
    generated_at: datetime
    texts: Texts


@dataclass(frozen=True, slots=True)
class NewSnapshot:
    """A snapshot and what follows from it. `endpoints` None: those that are stored stay."""

    generated_at: datetime
    texts: Texts
    prices: tuple[PriceRow, ...]
    endpoints: Endpoints | None


class SnapshotStore(Protocol):
    """Raises StoreUnavailableError when the database cannot answer."""

    async def newest_id(self) -> int | None:
        """None: there is none yet."""
        ...

    async def newest(self) -> StoredSnapshot | None: ...

    async def previous(self) -> StoredSnapshot | None:
        """The one before the newest, if it is still there."""
        ...

    async def put(self, new: NewSnapshot) -> int:
        """All of it or nothing; the id it has got. Of the older ones a few stay."""
        ...


class MirrorUnavailableError(Exception):
    """The mirror did not answer in time, or not with a snapshot; the text says which."""


class Mirror(Protocol):
    """A copy of the newest snapshot that is quicker to read than the database, and may be anything at any moment."""

    async def read(self) -> StoredSnapshot | None:
        """None: it holds none. Raises MirrorUnavailableError."""
        ...

    async def write(self, snapshot: StoredSnapshot, public_providers: bytes | None) -> None:
        """All at once. `public_providers` None leaves what is there. Raises MirrorUnavailableError."""
        ...
