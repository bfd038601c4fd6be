"""Rules of alerts as an operator sends them, checked, with models named as records name them.

Source: response-path 9.7.
"""

from datetime import datetime
from typing import Annotated, Final

from msgspec import Meta, Struct

from tollway.observability.alerting.rules import ErrorRateRule, TtfbRule, watched_name
from tollway.observability.received import Issue, Text, read_struct

_Share = Annotated[float, Meta(gt=0, lt=1)]
_Positive = Annotated[int, Meta(gt=0, le=2**53 - 1)]


_NO_MODEL: Final = (Issue(("model",), "Expected a model, got only a variant"),)


class _ErrorRateBody(Struct, rename="camel"):
    model: Text
    enabled: bool
    error_rate_slo: _Share
    min_requests_per_window: _Positive


class _TtfbBody(Struct, rename="camel"):
    model: Text
    enabled: bool
    ttfb_threshold_ms: _Positive
    ttfb_slo: _Share
    min_requests_per_window: _Positive


def read_error_rate_rule(body: bytes, now: datetime) -> ErrorRateRule | tuple[Issue, ...]:
    """The rule, or what is wrong with it."""
    read = read_struct(body, _ErrorRateBody)
    if isinstance(read, tuple):
        return read
    model = watched_name(read.model)
    if not model:
        return _NO_MODEL
    return ErrorRateRule(model, read.enabled, read.error_rate_slo, read.min_requests_per_window, now)


def read_ttfb_rule(body: bytes, now: datetime) -> TtfbRule | tuple[Issue, ...]:
    """The rule, or what is wrong with it."""
    read = read_struct(body, _TtfbBody)
    if isinstance(read, tuple):
        return read
    model = watched_name(read.model)
    if not model:
        return _NO_MODEL
    return TtfbRule(model, read.enabled, read.ttfb_threshold_ms, read.ttfb_slo, read.min_requests_per_window, now)
