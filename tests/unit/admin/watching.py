"""Alerts over counts that a test names, in memory."""

from collections.abc import Iterable
from datetime import datetime

from contract.scenario import START
from tollway.billing.store import StoreUnavailableError
from tollway.observability.alerting.evaluation import Count, Counts, Group
from tollway.observability.alerting.rules import ErrorRateRule, TtfbRule
from tollway.observability.alerting.store import AlertStore, ErrorBaseline, TtfbBaseline

BAD, GOOD = Count(100, 50), Count(100, 0)


class FakeAlerts(AlertStore):
    """`counts` by threshold (None: errors) and minutes. `away` minutes cannot be counted; nor remembered, if so."""

    def __init__(self) -> None:
        self.error_rules: list[ErrorRateRule] = []
        self.slow_rules: list[TtfbRule] = []
        self.counts: dict[tuple[int | None, int], dict[Group, Count]] = {}
        self.asked: list[tuple[tuple[str, ...], int, int | None]] = []
        self.away: set[int] = set()
        self.forgets = False
        self.fired: dict[str, datetime] = {}
        self.late: tuple[Group, ...] = ()

    def watch(self, model: str, threshold_ms: int | None = None, enabled: bool = True) -> None:
        if threshold_ms is None:
            self.error_rules.append(ErrorRateRule(model, enabled, 0.999, 10, START))
        else:
            self.slow_rules.append(TtfbRule(model, enabled, threshold_ms, 0.95, 10, START))

    def burn(
        self, *groups: Group, threshold_ms: int | None = None, minutes: Iterable[int] = (1, 3, 5, 30, 360)
    ) -> None:
        for one in minutes:
            self.counts.setdefault((threshold_ms, one), {}).update(dict.fromkeys(groups, BAD))

    def burn_after_the_first_count(self, *groups: Group) -> None:
        """Requests that arrive while a round is counting."""
        self.late = groups

    async def error_rate_rules(self) -> tuple[ErrorRateRule, ...]:
        return tuple(self.error_rules)

    async def ttfb_rules(self) -> tuple[TtfbRule, ...]:
        return tuple(self.slow_rules)

    async def count(self, models: Iterable[str], since: datetime, threshold_ms: int | None) -> Counts:
        minutes = round((START - since).total_seconds() / 60)
        self.asked.append((tuple(models), minutes, threshold_ms))
        if minutes in self.away:
            raise StoreUnavailableError("gone")
        counted = dict(self.counts.get((threshold_ms, minutes), {}))
        self.burn(*self.late)
        return counted

    async def are_silenced(self, keys: Iterable[str], now: datetime) -> bool:
        return any(self.fired.get(key, now) > now for key in keys)

    async def remember(self, key: str, now: datetime, until: datetime) -> None:
        if self.forgets:
            raise StoreUnavailableError("gone")
        self.fired[key] = until

    async def error_baseline(self, model: str, now: datetime) -> ErrorBaseline:
        return ErrorBaseline(model, 0.1, 0.2, 0.3, 1, 2, 3 if model != "quiet" else 0)

    async def ttfb_baseline(self, model: str, now: datetime) -> TtfbBaseline | None:
        return None
