import asyncio
from dataclasses import dataclass

from prometheus_client.parser import text_string_to_metric_families

from tollway.gateway.money_metrics import show_money
from tollway.observability.metrics import Metrics
from unit.billing.outcomes import USER, order_of, outcome_of
from unit.gateway.fake_money import FakeBooks
from unit.gateway.worker import Worker


@dataclass
class Health:
    open_ids: int = 0
    disk_bytes: int = 0
    failures: int = 0


def shown(metrics: Metrics) -> dict[str, float]:
    """Gauges by name, the parts of what is leased by their label."""
    return {
        sample.labels.get("part", sample.name.removeprefix("tollway_")): sample.value
        for family in text_string_to_metric_families(metrics.render().decode())
        for sample in family.samples
    }


def test_money_on_its_way_is_read_when_it_is_asked_for() -> None:
    async def scenario() -> None:
        worker, metrics, health = Worker(FakeBooks({USER.id: 10_000})), Metrics(), Health()
        show_money(metrics, worker.slices, worker.settlement, lambda: health)
        before = shown(metrics)
        first, second = [await worker.held(order_of(id_, 100)) for id_ in ("a", "b")]
        await worker.funds.close(outcome_of(first, 30))
        worker.clock.now += 4
        await worker.funds.close(outcome_of(second, 20))
        await worker.held(order_of("c", 100))
        health.open_ids, health.disk_bytes, health.failures = 7, 8, 9
        names = (
            *("unsettled", "unsettled_microdollars", "journal_lag_seconds", "open_holds", "journal_bytes"),
            *("journal_failures", "free", "held", "used"),
        )
        assert [before[name] for name in names] == [0] * 9
        after = shown(metrics)
        assert [after[name] for name in names] == [2, 50, 4, 7, 8, 9, 5_000 - 150, 100, 50]
        await worker.settlement.settle()
        assert [shown(metrics)[name] for name in ("unsettled", "unsettled_microdollars", "used")] == [0, 0, 0]

    asyncio.run(scenario())
