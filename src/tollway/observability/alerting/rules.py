"""What is promised of a model, and how fast a promise may be used up before somebody is told.

A promise (SLO) of 99.9 % allows 0.1 % of the requests to be bad. A burn rate is how many times as many are. Source:
response-path 9.7.
"""

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Final

from msgspec import Meta, Struct


class Severity(StrEnum):
    PAGE = "page"
    TICKET = "ticket"


class Kind(StrEnum):
    """What a request is bad for."""

    ERROR_RATE = "error_rate"
    TTFB = "ttfb"


_Minutes = Annotated[int, Meta(ge=1, le=10_080)]


class Window(Struct, frozen=True, forbid_unknown_fields=True):
    """Somebody is told while over the last `long_minutes` and over the last `short_minutes` requests are bad
    `burn_rate` times as often as is promised."""

    severity: Severity
    long_minutes: _Minutes
    short_minutes: _Minutes
    burn_rate: Annotated[float, Meta(gt=0)]


# Looked at in this order: pages first, and of these what burns fastest.
WINDOWS: Final = (
    Window(Severity.PAGE, 5, 1, 14.4),
    Window(Severity.PAGE, 30, 3, 6),
    Window(Severity.TICKET, 360, 30, 1),
)


class Promise(Struct, frozen=True):
    """What is promised of one model: the share `slo` of its requests is good. `threshold_ms`: the first byte takes no
    longer (None: it is about errors). Windows with fewer than `least` requests say nothing."""

    model: str
    slo: float
    least: int
    threshold_ms: int | None = None

    @property
    def kind(self) -> Kind:
        return Kind.ERROR_RATE if self.threshold_ms is None else Kind.TTFB


class ErrorRateRule(Struct, frozen=True, rename="camel"):
    """A row of `alert_configs`."""

    model: str
    enabled: bool
    error_rate_slo: float
    min_requests_per_window: int
    updated_at: datetime

    @property
    def promise(self) -> Promise:
        return Promise(self.model, self.error_rate_slo, self.min_requests_per_window)


class TtfbRule(Struct, frozen=True, rename="camel"):
    """A row of `ttfb_alert_configs`."""

    model: str
    enabled: bool
    ttfb_threshold_ms: int
    ttfb_slo: float
    min_requests_per_window: int
    updated_at: datetime

    @property
    def promise(self) -> Promise:
        return Promise(self.model, self.ttfb_slo, self.min_requests_per_window, self.ttfb_threshold_ms)


def watched_name(model: str) -> str:
    """A model as records name it: trimmed, in lower case, without its variant; "" when nothing is left."""
    return model.strip().lower().partition(":")[0].strip()
