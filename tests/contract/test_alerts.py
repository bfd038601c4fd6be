"""Alerts on either database: rules, counts, baselines, and who was told what."""

from datetime import timedelta

from contract.observed import MODEL, Watch, measured, metric
from contract.scenario import START
from tollway.admin.alert_overview import look_over
from tollway.observability.alerting.evaluation import Count, Group
from tollway.observability.alerting.rules import WINDOWS, ErrorRateRule, TtfbRule
from tollway.observability.alerting.store import ErrorBaseline, TtfbBaseline
from tollway.storage.sql.alerts import SqlAlerts
from tollway.storage.sql.database import Database

GROUP = Group("openai", MODEL, "kilo-gateway")


async def test_rules_are_replaced_and_removed(database: Database) -> None:
    store = SqlAlerts(database)
    await store.put_error_rate(ErrorRateRule("b", True, 0.9, 1, START))
    await store.put_error_rate(ErrorRateRule("a", True, 0.99, 2, START))
    later = ErrorRateRule("b", False, 0.999, 3, START + timedelta(hours=1))
    await store.put_error_rate(later)
    assert await store.error_rate_rules() == (ErrorRateRule("a", True, 0.99, 2, START), later)
    slow = TtfbRule("a", True, 3000, 0.95, 10, START)
    await store.put_ttfb(slow)
    assert await store.ttfb_rules() == (slow,)
    for _ in range(2):
        await store.delete_error_rate("a")
        await store.delete_ttfb("a")
    assert (await store.error_rate_rules(), await store.ttfb_rules()) == ((later,), ())


async def test_what_is_counted(database: Database) -> None:
    """Not what is older (the very edge included), with the caller's own key, or of another model."""
    watch = Watch(database)
    since = START - timedelta(minutes=5)
    await watch.requests(1, 10, 3)
    await watch.requests(5, 7, 7)
    await watch.requests(1, 5, 5, user_byok=True)
    await watch.requests(1, 5, 5, model="other/model")
    await watch.requests(1, 4, 1, provider="vercel")
    assert await watch.store.count([MODEL], since, None) == {
        GROUP: Count(10, 3),
        Group("vercel", MODEL, "kilo-gateway"): Count(4, 1),
    }
    assert await watch.store.count([MODEL, "other/model"], since, 44) == {
        GROUP: Count(7, 7),
        Group("vercel", MODEL, "kilo-gateway"): Count(3, 3),
    }
    assert (await watch.store.count([MODEL], since, 45))[GROUP] == Count(7, 0)
    assert await watch.store.count([], since, None) == {}


async def test_baselines(database: Database) -> None:
    watch = Watch(database)
    day = 24 * 60
    await watch.requests(1, 4, 1)
    await watch.requests(2 * day, 4, 2)
    await watch.requests(5 * day, 2, 2)
    await watch.requests(9 * day, 100, 100)
    await watch.requests(1, 100, 100, user_byok=True)
    assert await watch.store.error_baseline(MODEL, START) == ErrorBaseline(MODEL, 0.25, 3 / 8, 0.5, 4, 8, 10)
    assert await watch.store.error_baseline("other", START) == ErrorBaseline("other", 0, 0, 0, 0, 0, 0)
    assert await watch.store.ttfb_baseline("other", START) is None
    await watch.records.add([measured(metric(ttfb_ms=number + 1, model="fast")) for number in range(200)])
    assert await watch.store.ttfb_baseline("fast", START + timedelta(days=1)) == TtfbBaseline(
        "fast", 100, 190, 198, 200
    )
    assert await watch.store.ttfb_baseline("fast", START + timedelta(days=3)) is None


async def test_what_was_told_is_remembered_for_a_while(database: Database) -> None:
    store = SqlAlerts(database)
    await store.remember("a", START, START + timedelta(seconds=900))
    assert await store.are_silenced(["b", "a"], START + timedelta(seconds=899))
    assert not await store.are_silenced(["b"], START)
    assert not await store.are_silenced(["a"], START + timedelta(seconds=900))
    await store.remember("a", START + timedelta(seconds=1000), START + timedelta(seconds=1900))
    assert await store.are_silenced(["a"], START + timedelta(seconds=1800))


async def test_a_round_and_what_is_shown_of_it(database: Database) -> None:
    watch = Watch(database)
    await watch.promise(0.999)
    await watch.promise(0.999, model="quiet", enabled=False)
    await watch.promise_speed(40, 0.95)
    await watch.requests(0.5, 100, 10)
    shown = await look_over(watch.store, WINDOWS, watch.now)
    assert [(rule.model, rule.kind, rule.enabled) for rule in shown.rules] == [
        (MODEL, "error_rate", True),
        ("quiet", "error_rate", False),
        (MODEL, "ttfb", True),
    ]
    assert (shown.rules[0].baseline or {})["requests7d"] == 100
    assert shown.rules[1].baseline is None
    assert [(burn.kind, burn.long_minutes, burn.burn_rate, burn.state) for burn in shown.burns] == [
        ("error_rate", 5, 100, "breached"),
        ("error_rate", 30, 100, "breached"),
        ("error_rate", 360, 100, "breached"),
        ("ttfb", 5, 20, "breached"),
        ("ttfb", 30, 20, "breached"),
        ("ttfb", 360, 20, "breached"),
    ]
    assert len((await watch.look()).told) == 2
    assert {burn.state for burn in (await look_over(watch.store, WINDOWS, watch.now)).burns} == {"told"}
    assert (await watch.look()).told == ()
