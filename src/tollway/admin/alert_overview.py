"""What alerting sees at this moment: each rule with its baseline, and how fast its promise is being used up."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from msgspec import to_builtins

from tollway.admin.alerts import by_threshold, count
from tollway.observability.alerting.evaluation import Breach, Count, breaches
from tollway.observability.alerting.rules import Promise, Window
from tollway.observability.alerting.store import AlertStore

OK: Final = "ok"
BREACHED: Final = "breached"
TOLD: Final = "told"
_NOTHING: Final = Count(0, 0)


@dataclass(frozen=True, slots=True)
class WatchedModel:
    """One rule. `baseline`: what is usual, by its names in `/alerting/baseline`; None without requests."""

    model: str
    kind: str
    enabled: bool
    slo: float
    ttfb_threshold_ms: int | None
    min_requests_per_window: int
    updated_at: datetime
    baseline: dict[str, Any] | None


@dataclass(frozen=True, slots=True)
class Burn:
    """One promise in one window, for requests of one provider and client. `state`: ok, breached, or told (breached, and
    somebody knows)."""

    model: str
    kind: str
    provider: str
    client: str
    severity: str
    long_minutes: int
    short_minutes: int
    threshold: float
    burn_rate: float
    requests: int
    bad: int
    short_burn_rate: float
    short_requests: int
    short_bad: int
    state: str


@dataclass(frozen=True, slots=True)
class Overview:
    rules: tuple[WatchedModel, ...]
    burns: tuple[Burn, ...]


async def look_over(store: AlertStore, windows: Sequence[Window], now: datetime) -> Overview:
    """Changes nothing and tells nobody. Raises StoreUnavailableError."""
    rules, watched = await _rules(store, now)
    burns: list[Burn] = []
    for group in by_threshold(watched):
        for window in windows:
            burns += await _burns(store, window, group, now)
    return Overview(tuple(rules), tuple(burns))


async def _rules(store: AlertStore, now: datetime) -> tuple[list[WatchedModel], list[Promise]]:
    rules, watched = [], []
    for error in await store.error_rate_rules():
        usual = await store.error_baseline(error.model, now)
        baseline = to_builtins(usual) if usual.requests_7d else None
        rules.append(_watched(error.promise, error.enabled, error.updated_at, baseline))
        watched += [error.promise] if error.enabled else []
    for slow in await store.ttfb_rules():
        baseline = to_builtins(await store.ttfb_baseline(slow.model, now))
        rules.append(_watched(slow.promise, slow.enabled, slow.updated_at, baseline))
        watched += [slow.promise] if slow.enabled else []
    return rules, watched


def _watched(promise: Promise, enabled: bool, updated_at: datetime, baseline: dict[str, Any] | None) -> WatchedModel:
    return WatchedModel(
        promise.model,
        promise.kind.value,
        enabled,
        promise.slo,
        promise.threshold_ms,
        promise.least,
        updated_at,
        baseline,
    )


async def _burns(store: AlertStore, window: Window, group: Sequence[Promise], now: datetime) -> Iterable[Burn]:
    by_model = {promise.model: promise for promise in group}
    long = await count(store, group, window.long_minutes, now)
    short = await count(store, group, window.short_minutes, now)
    broken = {breach.group: breach for breach in breaches(window, group, long, short)}
    found = []
    for requests in sorted(long, key=lambda one: (one.model, one.provider, one.client)):
        promise, late = by_model[requests.model], short.get(requests, _NOTHING)
        state = await _state(store, broken.get(requests), now)
        found.append(
            Burn(
                requests.model,
                promise.kind.value,
                requests.provider,
                requests.client,
                window.severity.value,
                window.long_minutes,
                window.short_minutes,
                window.burn_rate,
                round(long[requests].burn_rate(promise.slo), 6),
                long[requests].total,
                long[requests].bad,
                round(late.burn_rate(promise.slo), 6),
                late.total,
                late.bad,
                state,
            )
        )
    return found


async def _state(store: AlertStore, breach: Breach | None, now: datetime) -> str:
    if breach is None:
        return OK
    return TOLD if await store.are_silenced(breach.silenced_by, now) else BREACHED
