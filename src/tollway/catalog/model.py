"""Model ids, prices and the entries that join them. Immutable values; the snapshot is rebuilt, never edited."""

from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Final

ZERO: Final = Decimal(0)
MODEL_ID_CHARS_MAX: Final = 256


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

    def __post_init__(self) -> None:
        for value in (self.prompt_usd, self.completion_usd, self.cached_usd, self.cache_write_usd, self.request_usd):
            if value is not None and (not value.is_finite() or value < 0):
                raise ValueError(f"price {self.version}: prices are finite and not negative")

    @property
    def is_free(self) -> bool:
        return not (self.prompt_usd or self.completion_usd or self.request_usd or self.image_usd)


FREE: Final = Price("free", datetime(1970, 1, 1, tzinfo=UTC), ZERO, ZERO)


@dataclass(frozen=True, slots=True)
class Offer:
    """One provider that serves a model: under which upstream id, at which price."""

    provider_id: str
    upstream_model: str
    price: Price


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
