"""Metrics of every request as plain numbers, which Prometheus is given when it asks for them.

Its own counters take locks and convert to float, 0.3–0.6 µs each; an event loop that counts alone needs neither. What
is seldom counted may as well be one of Prometheus' own.
"""

from bisect import bisect_left
from collections.abc import Iterable, Sequence

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily
from prometheus_client.registry import Collector

from tollway.clock import unix_seconds


class Tally(Collector):
    """A counter."""

    def __init__(self, name: str, documentation: str, registry: CollectorRegistry) -> None:
        self._name = name
        self._documentation = documentation
        self._created = unix_seconds()
        self.value = 0
        registry.register(self)

    def inc(self, amount: int = 1) -> None:
        self.value += amount

    def collect(self) -> Iterable[CounterMetricFamily]:
        yield CounterMetricFamily(self._name, self._documentation, value=self.value, created=self._created)


class LabelledTally(Collector):
    """Counters that share a name, told apart by one label. Its values are from a list of ours, so they are few."""

    def __init__(self, name: str, documentation: str, label: str, registry: CollectorRegistry) -> None:
        self._name = name
        self._documentation = documentation
        self._label = label
        self._created: dict[int | str, int] = {}
        self.values: dict[int | str, int] = {}
        registry.register(self)

    def inc(self, label: int | str) -> None:
        try:
            self.values[label] += 1
        except KeyError:
            self.values[label] = 1
            self._created[label] = unix_seconds()

    def collect(self) -> Iterable[CounterMetricFamily]:
        family = CounterMetricFamily(self._name, self._documentation, labels=[self._label])
        for label, value in self.values.items():
            family.add_metric([str(label)], value, self._created[label])
        yield family


class Spread(Collector):
    """A histogram. `bounds` are ascending; a value equal to a bound counts below it."""

    def __init__(self, name: str, documentation: str, bounds: Sequence[float], registry: CollectorRegistry) -> None:
        self._name = name
        self._documentation = documentation
        self._bounds = tuple(bounds)
        self._created = unix_seconds()
        self._counts = [0] * (len(bounds) + 1)
        self._sum = 0.0
        registry.register(self)

    def observe(self, value: float) -> None:
        self._counts[bisect_left(self._bounds, value)] += 1
        self._sum += value

    def collect(self) -> Iterable[HistogramMetricFamily]:
        total, buckets = 0, []
        for bound, count in zip((*map(float, self._bounds), "+Inf"), self._counts, strict=True):
            total += count
            buckets.append((str(bound), float(total)))
        family = HistogramMetricFamily(self._name, self._documentation, buckets=buckets, sum_value=self._sum)
        family.add_sample(f"{self._name}_created", {}, self._created)
        yield family
