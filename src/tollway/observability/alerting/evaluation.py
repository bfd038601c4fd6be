"""Which promises are being broken, from counted requests. Pure. Source: response-path 9.7."""

from collections.abc import Iterable, Mapping
from math import inf
from typing import Final

from msgspec import Struct

from tollway.observability.alerting.rules import Promise, Severity, Window

_TOLERANCE: Final = 1 - 1e-9  # 1.44 % at 99.9 % is 14.399999999999986 in binary, and must count as 14.4


class Group(Struct, frozen=True):
    """Requests that are judged together: of one model at one provider, by one gateway."""

    provider: str
    model: str
    client: str


class Count(Struct, frozen=True):
    """How many of a group's requests there were, and how many of them were bad."""

    total: int
    bad: int

    def burn_rate(self, slo: float) -> float:
        """How many times as often as promised requests were bad; infinite where none may be."""
        budget = 1 - slo
        if budget <= 0:
            return inf
        return self.bad / self.total / budget if self.total else 0.0


Counts = Mapping[Group, Count]


class Breach(Struct, frozen=True):
    """A promise that is being broken. `count` is that of the window's longer side."""

    window: Window
    promise: Promise
    group: Group
    count: Count

    @property
    def burn_rate(self) -> float:
        return self.count.burn_rate(self.promise.slo)

    @property
    def key(self) -> str:
        """Under which it is remembered that somebody was told."""
        return self._key_of(self.window.severity)

    @property
    def silenced_by(self) -> tuple[str, ...]:
        """Keys under which somebody has been told enough: its own, and for a ticket the page's."""
        return tuple(dict.fromkeys((self.key, self._key_of(Severity.PAGE))))

    def _key_of(self, severity: Severity) -> str:
        group = self.group
        return f"o11y:alert:{severity}:{self.promise.kind}:{group.provider}:{group.model}:{group.client}"


def breaches(window: Window, promises: Iterable[Promise], long: Counts, short: Counts) -> tuple[Breach, ...]:
    """The promises that both sides of the window break, in a stable order. Groups of other models are left alone."""
    by_model = {promise.model: promise for promise in promises}
    found = []
    for group in sorted(long.keys() & short.keys(), key=lambda one: (one.model, one.provider, one.client)):
        promise = by_model.get(group.model)
        if promise and _is_broken(window, promise, long[group]) and _is_broken(window, promise, short[group]):
            found.append(Breach(window, promise, group, long[group]))
    return tuple(found)


def may_be_broken(window: Window, promises: Iterable[Promise], long: Counts) -> bool:
    """Whether the shorter side is worth counting."""
    return bool(breaches(window, promises, long, long))


def _is_broken(window: Window, promise: Promise, count: Count) -> bool:
    return count.total >= promise.least and count.burn_rate(promise.slo) >= window.burn_rate * _TOLERANCE
