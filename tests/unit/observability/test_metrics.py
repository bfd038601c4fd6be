import pytest
from prometheus_client.parser import text_string_to_metric_families

from tollway.observability.metrics import Metrics


@pytest.fixture
def metrics() -> Metrics:
    return Metrics()


def samples(metrics: Metrics) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    families = text_string_to_metric_families(metrics.render().decode())
    return {(one.name, tuple(sorted(one.labels.items()))): one.value for family in families for one in family.samples}


def test_what_is_counted(metrics: Metrics) -> None:
    for status in (200, 200, 402):
        metrics.count_request(status)
    metrics.count_refusal("insufficient_credits")
    metrics.count_upstream_failure("sim", "timeout")
    metrics.count_upstream_failure("sim", "503")
    metrics.charged.inc(1_234)
    metrics.dropped_log_lines.inc(2)
    metrics.duration.observe(0.02)
    seen = samples(metrics)
    assert seen["tollway_requests_total", (("status", "200"),)] == 2
    assert seen["tollway_requests_total", (("status", "402"),)] == 1
    assert seen["tollway_refusals_total", (("code", "insufficient_credits"),)] == 1
    assert seen["tollway_upstream_failures_total", (("kind", "timeout"), ("upstream", "sim"))] == 1
    assert seen["tollway_charged_microdollars_total", ()] == 1_234
    assert seen["tollway_dropped_log_lines_total", ()] == 2
    assert seen["tollway_request_seconds_count", ()] == 1
    assert seen["tollway_request_seconds_bucket", (("le", "0.025"),)] == 1
    assert seen["tollway_request_seconds_bucket", (("le", "0.01"),)] == 0


def test_two_workers_count_apart(metrics: Metrics) -> None:
    metrics.count_request(200)
    assert ("tollway_requests_total", (("status", "200"),)) not in samples(Metrics())


def test_every_metric_explains_itself(metrics: Metrics) -> None:
    families = list(text_string_to_metric_families(metrics.render().decode()))
    assert families
    assert all(family.name.startswith("tollway_") and family.documentation.endswith(".") for family in families)
