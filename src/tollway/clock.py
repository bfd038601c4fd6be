"""The only place that reads time: `monotonic` for ages and time-outs, `utc_now` for what is stored or shown."""

import time
from datetime import UTC, datetime

monotonic = time.monotonic


def utc_now() -> datetime:
    """The present instant, aware, in UTC."""
    return datetime.now(UTC)


def unix_seconds() -> int:
    """Whole seconds since 1970-01-01T00:00:00Z."""
    return int(time.time())


def unix_milliseconds() -> int:
    """Whole milliseconds since 1970-01-01T00:00:00Z."""
    return time.time_ns() // 1_000_000
