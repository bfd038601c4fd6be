"""Prometheus' own metrics are the measure: what is rendered is the same but for the instant of creation."""

import re

from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest

from tollway.observability.tally import LabelledTally, Spread, Tally

BOUNDS = (0.005, 0.25, 1, 30)


def rendered(registry: CollectorRegistry) -> str:
    text = generate_latest(registry).decode()
    assert re.search(r"_created(?:\{.*\})? 1\.\d+e\+09\n", text)
    return re.sub(r"(_created(?:\{.*\})?) [\d.e+]+\n", r"\1\n", text)


@given(st.lists(st.integers(0, 10**15), max_size=5))
def test_a_counter(amounts: list[int]) -> None:
    ours, theirs = CollectorRegistry(), CollectorRegistry()
    tally, counter = Tally("a", "A thing.", ours), Counter("a", "A thing.", registry=theirs)
    for amount in amounts:
        tally.inc(amount)
        counter.inc(amount)
    tally.inc()
    counter.inc()
    assert rendered(ours) == rendered(theirs)


@given(st.lists(st.sampled_from([200, 402, "model_not_found", 'a"\\b']), min_size=1))
def test_counters_by_label(labels: list[int | str]) -> None:
    ours, theirs = CollectorRegistry(), CollectorRegistry()
    tally = LabelledTally("a", "A thing.", "kind", ours)
    counter = Counter("a", "A thing.", ["kind"], registry=theirs)
    for label in labels:
        tally.inc(label)
        counter.labels(kind=str(label)).inc()
    assert rendered(ours) == rendered(theirs)


@given(st.lists(st.sampled_from(BOUNDS) | st.floats(0, 100)))
def test_a_histogram(values: list[float]) -> None:
    ours, theirs = CollectorRegistry(), CollectorRegistry()
    spread = Spread("a", "A thing.", BOUNDS, ours)
    histogram = Histogram("a", "A thing.", registry=theirs, buckets=BOUNDS)
    for value in values:
        spread.observe(value)
        histogram.observe(value)
    assert rendered(ours) == rendered(theirs)


def test_nothing_counted_yet() -> None:
    registry = CollectorRegistry()
    LabelledTally("a", "A thing.", "kind", registry)
    assert generate_latest(registry) == b"# HELP a_total A thing.\n# TYPE a_total counter\n"
