import asyncio

from contract.scenario import START
from tollway.admin.alert_overview import Burn, look_over
from tollway.observability.alerting.evaluation import Count, Group
from tollway.observability.alerting.rules import WINDOWS
from unit.admin.watching import FakeAlerts

A, B = Group("openai", "m", "house"), Group("vercel", "m", "house")


def test_rules_with_what_is_usual_and_what_burns() -> None:
    store = FakeAlerts()
    store.watch("m")
    store.watch("quiet", enabled=False)
    store.watch("m", 3000)
    store.burn(A)
    store.counts[None, 5][B] = Count(7, 0)
    shown = asyncio.run(look_over(store, WINDOWS[:1], START))
    usual = {
        "model": "m",
        "errorRate1d": 0.1,
        "errorRate3d": 0.2,
        "errorRate7d": 0.3,
        "requests1d": 1,
        "requests3d": 2,
        "requests7d": 3,
    }
    assert [(one.model, one.kind, one.ttfb_threshold_ms, one.enabled, one.baseline) for one in shown.rules] == [
        ("m", "error_rate", None, True, usual),
        ("quiet", "error_rate", None, False, None),
        ("m", "ttfb", 3000, True, None),
    ]
    assert shown.burns == (
        Burn("m", "error_rate", "openai", "house", "page", 5, 1, 14.4, 500.0, 100, 50, 500.0, 100, 50, "breached"),
        Burn("m", "error_rate", "vercel", "house", "page", 5, 1, 14.4, 0.0, 7, 0, 0.0, 0, 0, "ok"),
    )
    assert store.fired == {}


def test_what_was_told_is_said_so() -> None:
    store = FakeAlerts()
    store.watch("m")
    store.burn(A)
    until = START.replace(year=START.year + 1)
    store.fired["o11y:alert:page:error_rate:openai:m:house"] = until
    assert {burn.state for burn in asyncio.run(look_over(store, WINDOWS, START)).burns} == {"told"}
