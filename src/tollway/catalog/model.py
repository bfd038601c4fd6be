"""Model ids, prices and the entries that join them. Immutable values; the snapshot is rebuilt, never edited."""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from typing import Final

from tollway.money import EXACT

ZERO: Final = Decimal(0)


@dataclass(frozen=True, slots=True)
class Price:
    """What one provider's model costs, exact, in USD per token (or per request / per image).

    `version` names the dated entry it came from and is stored with every usage row.
    """

    version: str
    effective_from: datetime
    prompt_usd: Decimal
    completion_usd: Decimal
    cached_usd: Decimal | None = None  # None: a cached prompt token costs as much as any other
    cache_write_usd: Decimal | None = None
    request_usd: Decimal = ZERO
    image_usd: Decimal = ZERO
    is_free: bool = field(init=False, repr=False, compare=False)
    units: "PriceUnits" = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        cached = self.prompt_usd if self.cached_usd is None else self.cached_usd
        written = self.prompt_usd if self.cache_write_usd is None else self.cache_write_usd
        prices = (self.prompt_usd, cached, written, self.completion_usd, self.request_usd, self.image_usd)
        if not all(price.is_finite() and price >= 0 for price in prices):
            raise ValueError(f"price {self.version}: prices are finite and not negative")
        is_paid = self.prompt_usd or self.completion_usd or self.request_usd or self.image_usd
        object.__setattr__(self, "is_free", not is_paid)
        object.__setattr__(self, "units", _units_of(prices))


@dataclass(frozen=True, slots=True)
class PriceUnits:
    """The same prices as whole numbers of one unit, `per_microdollar` of which make a micro-dollar: exact, and five
    times as fast to multiply as decimals. What has no price of its own has the prompt's; `dearest_prompt` is the most
    that a prompt token can cost."""

    per_microdollar: int
    dearest_prompt: int
    prompt: int
    cached: int
    written: int
    completion: int
    request: int
    image: int


def _units_of(prices_usd: tuple[Decimal, ...]) -> PriceUnits:
    digits = max(6, *(-int(price.as_tuple().exponent) for price in prices_usd))
    units = [int(price.scaleb(digits, EXACT)) for price in prices_usd]
    return PriceUnits(10 ** (digits - 6), max(units[:3]), *units)


FREE: Final = Price("free", datetime(1970, 1, 1, tzinfo=UTC), ZERO, ZERO)


@dataclass(frozen=True, slots=True)
class Offer:
    """One provider that serves a model: under which upstream id, at which price. `route` is both for people to read,
    `<provider>/<upstream model>`."""

    provider_id: str
    upstream_model: str
    price: Price
    route: str = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "route", f"{self.provider_id}/{self.upstream_model}")


@dataclass(frozen=True, slots=True)
class Model:
    """A model callers may name. `offers` are in order of preference and never empty.

    `id` is the lower-cased public id (`vendor/name`); `context_length` and `completion_tokens_max` are in tokens.
    """

    id: str
    name: str
    context_length: int
    completion_tokens_max: int
    offers: tuple[Offer, ...]
    created: int = 0  # unix seconds


def normal_id(model: str) -> str:
    """The form in which ids are compared: trimmed, lower-cased. Source: request-path 2.5."""
    return model.strip().lower()
