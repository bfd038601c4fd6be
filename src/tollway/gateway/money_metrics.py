"""The operator's view of money on its way: read from where it is, whenever metrics are asked for."""

from collections.abc import Callable
from typing import Protocol

from tollway.billing.slices import Slices
from tollway.gateway.settlement import Settlement
from tollway.observability.metrics import Metrics


class JournalHealth(Protocol):
    @property
    def open_ids(self) -> int: ...

    @property
    def disk_bytes(self) -> int: ...

    @property
    def failures(self) -> int: ...


def show_money(
    metrics: Metrics, slices: Slices, settlement: Settlement, journal_health: Callable[[], JournalHealth]
) -> None:
    """Bind the gauges."""
    metrics.unsettled.set_function(lambda: len(settlement))
    metrics.unsettled_amount.set_function(lambda: settlement.amount)
    metrics.journal_lag.set_function(lambda: settlement.lag_s)
    metrics.open_holds.set_function(lambda: journal_health().open_ids)
    metrics.journal_bytes.set_function(lambda: journal_health().disk_bytes)
    metrics.journal_failures.set_function(lambda: journal_health().failures)
    metrics.leased.labels(part="free").set_function(lambda: slices.free)
    metrics.leased.labels(part="held").set_function(lambda: slices.held)
    metrics.leased.labels(part="used").set_function(lambda: slices.used)
