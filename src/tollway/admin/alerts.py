"""Alerts: which models are watched, and once a minute a look at whether what is promised of them holds.

Source: response-path 9.7.
"""

from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from msgspec import Struct

from tollway.billing.store import StoreUnavailableError
from tollway.observability.alerting.evaluation import Breach, Counts, breaches, may_be_broken
from tollway.observability.alerting.rules import Promise, Severity, Window
from tollway.observability.alerting.store import AlertRules, AlertStore, RequestCounts

# Tells somebody of a breach: None when it arrived, else why not.
Notify = Callable[[Breach], Awaitable[str | None]]


@dataclass(frozen=True, slots=True)
class Cooldowns:
    """For how long nothing is repeated, in seconds."""

    page_s: int
    ticket_s: int

    def of(self, severity: Severity) -> timedelta:
        return timedelta(seconds=self.page_s if severity is Severity.PAGE else self.ticket_s)


class Round(Struct, frozen=True):
    """What one look came to: keys that were told, keys about which enough was said, and what failed."""

    told: tuple[str, ...]
    silenced: tuple[str, ...]
    failures: tuple[str, ...]

    @property
    def summary(self) -> str:
        return f"Alert evaluation failed with {len(self.failures)} error(s)"


async def promises(rules: AlertRules) -> tuple[Promise, ...]:
    """What is watched at present. Raises StoreUnavailableError."""
    errors, slow = await rules.error_rate_rules(), await rules.ttfb_rules()
    watched = [rule.promise for rule in errors if rule.enabled]
    return (*watched, *(rule.promise for rule in slow if rule.enabled))


async def run_round(
    store: AlertStore, windows: Sequence[Window], cooldowns: Cooldowns, notify: Notify, now: datetime
) -> Round:
    """Look at every window, errors before slowness, and tell of what is new, in the order of the windows.

    They are counted from the last to the first: requests that come in between are then missing from a ticket and not
    from the page that makes it superfluous. One that cannot be counted or told of keeps none of the others from it.
    Raises StoreUnavailableError when not even the rules can be read.
    """
    told: list[str] = []
    silenced: list[str] = []
    failures: list[str] = []
    found: list[tuple[Breach, ...]] = []
    watched = by_threshold(await promises(store))
    for window in reversed(windows):
        for group in reversed(watched):
            try:
                found.append(await look(store, window, group, now))
            except StoreUnavailableError as error:
                failures.append(f"{window.severity} {window.long_minutes} min: {error}")
    for breach in (breach for some in reversed(found) for breach in some):
        await _tell(store, cooldowns, notify, breach, now, (told, silenced, failures))
    return Round(tuple(told), tuple(silenced), tuple(failures))


def by_threshold(watched: Iterable[Promise]) -> tuple[tuple[Promise, ...], ...]:
    """Those that one count serves together: errors first, then by what counts as slow."""
    groups: defaultdict[int | None, list[Promise]] = defaultdict(list)
    for promise in watched:
        groups[promise.threshold_ms].append(promise)
    order = sorted(groups, key=lambda threshold: threshold or 0)
    return tuple(tuple(groups[threshold]) for threshold in order)


async def look(counts: RequestCounts, window: Window, group: Sequence[Promise], now: datetime) -> tuple[Breach, ...]:
    """The promises of a group (`by_threshold`) that are broken in a window. Raises StoreUnavailableError."""
    long = await count(counts, group, window.long_minutes, now)
    if not may_be_broken(window, group, long):
        return ()
    return breaches(window, group, long, await count(counts, group, window.short_minutes, now))


async def count(counts: RequestCounts, group: Sequence[Promise], minutes: int, now: datetime) -> Counts:
    """Requests that the promises of a group are about, of the last minutes. Raises StoreUnavailableError."""
    models = [promise.model for promise in group]
    return await counts.count(models, now - timedelta(minutes=minutes), group[0].threshold_ms)


async def _tell(
    store: AlertStore,
    cooldowns: Cooldowns,
    notify: Notify,
    breach: Breach,
    now: datetime,
    results: tuple[list[str], list[str], list[str]],
) -> None:
    """Unless enough was said. Remembered only once it arrived, so that it is tried again in the next round."""
    told, silenced, failures = results
    try:
        if await store.are_silenced(breach.silenced_by, now):
            silenced.append(breach.key)
            return
        failure = await notify(breach)
        if failure is None:
            told.append(breach.key)
            await store.remember(breach.key, now, now + cooldowns.of(breach.window.severity))
        else:
            failures.append(f"{breach.key}: {failure}")
    except StoreUnavailableError as error:
        failures.append(f"{breach.key}: {error}")
