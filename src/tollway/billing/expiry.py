"""Credits with an expiry date: how much of each was left when it came. Pure.

Use is counted once, over the whole life of an account, and each credit begins to be used at its baseline: what had been
used when it came. What one credit was used for cannot have been paid by a later one as well, so that one's baseline
rises. Source: response-path 6.16.
"""

from collections.abc import Iterable
from datetime import datetime

from msgspec import Struct

from tollway.money import Microdollars


class ExpiringCredit(Struct, frozen=True):
    """`baseline`: the account's use from which on this credit is used, as last adjusted."""

    id: str
    amount: Microdollars
    baseline: int
    expires_at: datetime


class Expired(Struct, frozen=True):
    """`left`: by credit that has expired, what is taken back, 0 when all of it was used. `baselines`: the new ones of
    credits whose baseline has risen."""

    left: dict[str, Microdollars]
    baselines: dict[str, int]

    @property
    def total(self) -> Microdollars:
        return Microdollars(sum(self.left.values()))


def expire(credits_: Iterable[ExpiringCredit], used: int, now: datetime) -> Expired:
    """What is to be taken back at `now` of the credits that have not expired yet. `used`: all that was ever used."""
    ordered = sorted(credits_, key=lambda one: (one.expires_at, one.id))
    before = {credit.id: credit.baseline for credit in ordered}
    baselines = dict(before)
    left: dict[str, Microdollars] = {}
    for place, credit in enumerate(ordered):
        if credit.expires_at > now:
            break
        baseline = baselines[credit.id]
        usage_end = min(baseline + credit.amount, used)
        usage = max(0, usage_end - baseline)
        left[credit.id] = Microdollars(credit.amount - usage)
        for later in ordered[place + 1 :]:
            baselines[later.id] += max(0, min(usage, usage_end - baselines[later.id]))
    return Expired(left, {id_: baseline for id_, baseline in baselines.items() if baseline != before[id_]})
