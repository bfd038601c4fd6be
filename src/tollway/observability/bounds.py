"""Every bound that sheds load has three metrics: where it stands, where it ends, whom it turned away (guarantees O1).

They are read when Prometheus asks; what a request pays is one addition when it is refused.
"""

from collections.abc import Callable, Iterable

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

from tollway.clock import unix_seconds


class Bounds(Collector):
    """By name. A bound per caller or address has no current value: its labels would have no end."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._created = unix_seconds()
        self._most: dict[str, float] = {}
        self._current: dict[str, Callable[[], float]] = {}
        self._rejected: dict[str, int] = {}
        registry.register(self)

    def show(self, bound: str, most: float, current: Callable[[], float] | None = None) -> None:
        """Once for each, at start."""
        self._most[bound] = most
        if current:
            self._current[bound] = current
        self._rejected.setdefault(bound, 0)

    def reject(self, bound: str) -> None:
        """Somebody was turned away, or sent elsewhere."""
        self._rejected[bound] = self._rejected.get(bound, 0) + 1

    def rejected(self, bound: str) -> int:
        return self._rejected.get(bound, 0)

    def collect(self) -> Iterable[GaugeMetricFamily | CounterMetricFamily]:
        current = GaugeMetricFamily("tollway_bound_current", "Where a bound stands.", labels=["bound"])
        for bound, read in self._current.items():
            current.add_metric([bound], read())
        most = GaugeMetricFamily("tollway_bound_max", "Where a bound ends.", labels=["bound"])
        for bound, value in self._most.items():
            most.add_metric([bound], value)
        rejected = CounterMetricFamily("tollway_bound_rejected", "Turned away at a bound.", labels=["bound"])
        for bound, count in self._rejected.items():
            rejected.add_metric([bound], count, self._created)
        return current, most, rejected
