"""Requests as records, to fill a table with, and a deployment whose alerts are looked at by hand."""

from datetime import datetime, timedelta
from itertools import count

from contract.scenario import START
from tollway.admin.alerts import Cooldowns, Round, run_round
from tollway.observability.alerting.evaluation import Breach
from tollway.observability.alerting.rules import WINDOWS, ErrorRateRule, Severity, TtfbRule
from tollway.observability.api_metrics import ApiMetric, Measured
from tollway.storage.sql.alerts import SqlAlerts
from tollway.storage.sql.api_metrics import SqlApiMetrics
from tollway.storage.sql.database import Database

MODEL = "anthropic/claude-sonnet-4.5"
COOLDOWNS = Cooldowns(page_s=900, ticket_s=14_400)
_numbers = count(1)


def metric(status: int = 200, ttfb_ms: int = 45, provider: str = "openai", model: str = MODEL, **more) -> ApiMetric:
    values = {
        "user_id": "user-1",
        "is_anonymous": False,
        "is_streaming": True,
        "user_byok": False,
        "provider": provider,
        "requested_model": model,
        "resolved_model": model,
        "tools_available": (),
        "tools_used": (),
        "ttfb_ms": ttfb_ms,
        "complete_request_ms": max(ttfb_ms, 123),
        "status_code": status,
    }
    return ApiMetric(**{**values, **more})


def measured(one: ApiMetric, at: datetime = START) -> Measured:
    return Measured(f"r{next(_numbers)}", at, one)


class Watch:
    """`requests` fills the table, `look` is one round; `away` are providers whose breaches cannot be told of."""

    def __init__(self, database: Database) -> None:
        self.records = SqlApiMetrics(database, "kilo-gateway")
        self.store = SqlAlerts(database)
        self.now = START
        self.told: list[Breach] = []
        self.away: set[str] = set()

    async def requests(self, minutes_ago: float, total: int, bad: int, **more) -> None:
        """`bad` of them failed, or with `slow_ms` took that long."""
        at = self.now - timedelta(minutes=minutes_ago)
        slow = more.pop("slow_ms", None)
        worse = metric(429, **more) if slow is None else metric(ttfb_ms=slow, **more)
        rows = [measured(worse if number < bad else metric(**more), at) for number in range(total)]
        await self.records.add(rows)

    async def promise(self, slo: float, least: int = 10, model: str = MODEL, enabled: bool = True) -> None:
        await self.store.put_error_rate(ErrorRateRule(model, enabled, slo, least, self.now))

    async def promise_speed(self, threshold_ms: int, slo: float, least: int = 10, model: str = MODEL) -> None:
        await self.store.put_ttfb(TtfbRule(model, True, threshold_ms, slo, least, self.now))

    async def fired(self, key: str, minutes_ago: int, severity: Severity) -> None:
        at = self.now - timedelta(minutes=minutes_ago)
        await self.store.remember(key, at, at + COOLDOWNS.of(severity))

    async def look(self) -> Round:
        return await run_round(self.store, WINDOWS, COOLDOWNS, self._notify, self.now)

    async def _notify(self, breach: Breach) -> str | None:
        if breach.group.provider in self.away:
            return "status 503"
        self.told.append(breach)
        return None
