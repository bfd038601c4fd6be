"""What alerting needs from storage. Methods raise the store's StoreUnavailableError."""

from collections.abc import Iterable
from datetime import datetime
from typing import Protocol

from msgspec import Struct, field

from tollway.observability.alerting.evaluation import Counts
from tollway.observability.alerting.rules import ErrorRateRule, TtfbRule


class ErrorBaseline(Struct, frozen=True):
    """How often a model's requests fail, BYOK left out: shares (0 without requests) and requests of 1, 3 and 7 days."""

    model: str
    error_rate_1d: float = field(name="errorRate1d")
    error_rate_3d: float = field(name="errorRate3d")
    error_rate_7d: float = field(name="errorRate7d")
    requests_1d: int = field(name="requests1d")
    requests_3d: int = field(name="requests3d")
    requests_7d: int = field(name="requests7d")


class TtfbBaseline(Struct, frozen=True):
    """Milliseconds up to the first byte of a model's successful requests of 3 days, BYOK left out."""

    model: str
    p50_ttfb_3d: int = field(name="p50Ttfb3d")
    p95_ttfb_3d: int = field(name="p95Ttfb3d")
    p99_ttfb_3d: int = field(name="p99Ttfb3d")
    requests_3d: int = field(name="requests3d")


class AlertRules(Protocol):
    """Which models are watched. Names of models are those of `watched_name`."""

    async def error_rate_rules(self) -> tuple[ErrorRateRule, ...]:
        """By model."""
        ...

    async def ttfb_rules(self) -> tuple[TtfbRule, ...]:
        """By model."""
        ...

    async def put_error_rate(self, rule: ErrorRateRule) -> None: ...

    async def put_ttfb(self, rule: TtfbRule) -> None: ...

    async def delete_error_rate(self, model: str) -> None: ...

    async def delete_ttfb(self, model: str) -> None: ...


class RequestCounts(Protocol):
    """What the records say. Requests with the caller's own key do not count."""

    async def count(self, models: Iterable[str], since: datetime, threshold_ms: int | None) -> Counts:
        """Requests of these models after `since`: all of them and errors, or with a threshold those that succeeded and
        took longer than that to their first byte."""
        ...

    async def error_baseline(self, model: str, now: datetime) -> ErrorBaseline: ...

    async def ttfb_baseline(self, model: str, now: datetime) -> TtfbBaseline | None:
        """None without requests."""
        ...


class Firings(Protocol):
    """Who was told what lately."""

    async def are_silenced(self, keys: Iterable[str], now: datetime) -> bool:
        """Whether one of the keys is remembered."""
        ...

    async def remember(self, key: str, now: datetime, until: datetime) -> None:
        """Until that instant; what is over is forgotten."""
        ...


class AlertStore(AlertRules, RequestCounts, Firings, Protocol):
    """All of it."""
