"""What `tollway doctor` makes of what it measured. Pure: each function takes facts and gives findings.

`failed` is what keeps the gateway from starting, from taking requests, or from keeping its promises; `warning` is what
an operator should know. A finding never holds a secret, only names.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final

from tollway.admin.master_keys import MasterKeyUse, Standing, setting_of
from tollway.billing.store import SilentWorker
from tollway.limits.files import FILES_BESIDE, FILES_OF_A_REQUEST

FREE_BYTES_MIN: Final = 64 << 20  # of a worker: two segments of its journal
FREE_BYTES_FEW: Final = 1 << 30  # in all
SKEW_S_MAX: Final = 60.0  # as much as the clocks of tokens may differ
_READ_BY_OTHERS: Final = 0o004
_WRITTEN_BY_OTHERS: Final = 0o022


class State(StrEnum):
    OK = "ok"
    WARNING = "warning"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Finding:
    """`todo`: what an operator does about it; "" when nothing."""

    check: str
    state: State
    words: str
    todo: str = ""


def ok(check: str, words: str) -> Finding:
    return Finding(check, State.OK, words)


def warning(check: str, words: str, todo: str) -> Finding:
    return Finding(check, State.WARNING, words, todo)


def failed(check: str, words: str, todo: str) -> Finding:
    return Finding(check, State.FAILED, words, todo)


def judge_room(check: str, free_bytes: int, workers: int) -> Finding:
    """Free bytes of the disk that holds the journals."""
    free = f"{free_bytes / (1 << 30):.1f} GiB are free"
    if free_bytes < FREE_BYTES_MIN * workers:
        return failed(check, free, "make room: without it new requests get 503 journal_unavailable")
    if free_bytes < FREE_BYTES_FEW:
        return warning(check, free, "make room: 5 GiB see a busy worker through a day without a database")
    return ok(check, free)


def judge_keys(uses: Iterable[MasterKeyUse]) -> list[Finding]:
    """One for each key that is configured or needed."""
    return [_judge_key(use) for use in uses]


def _judge_key(use: MasterKeyUse) -> Finding:
    check, what = "master keys", use.key_id or "damaged secrets"
    is_one = use.secrets == 1
    count = "1 stored secret" if is_one else f"{use.secrets} stored secrets"
    need = f"{count} {'needs' if is_one else 'need'} it"
    match use.standing:
        case Standing.MISSING:
            return failed(
                check,
                f"{what} is missing, and {need}",
                f"put it back into {setting_of(use.key_id)}; if it is lost: tollway secrets abandon {use.key_id}",
            )
        case Standing.WRONG:
            return failed(check, f"{what} is another key than the one of {count}", "put the right one back")
        case Standing.ABANDONED:
            return warning(check, f"{what} was given up, and {need}", "have their owners enter them again")
        case Standing.UNKNOWN:
            todo = "have their owners enter them again; see the log lines own_route_unusable"
            return warning(check, f"{what}: in {count}, under no key that was ever here", todo)
        case Standing.WELL if use.is_active:
            return ok(check, f"{what} is active, and has {count}")
        case Standing.WELL if use.secrets:
            return ok(check, f"{what} is still needed by {count} (tollway secrets rotate)")
        case Standing.WELL:
            return ok(check, f"{what} is not needed" + (": it may be taken out" if use.was_active else " yet"))


def judge_unkept_key(secrets: int) -> Finding:
    """No master key is configured, and none was made."""
    if secrets:
        todo = "put the keys back into master_keys, or the file master-key into state_dir"
        return failed("master keys", f"none is here, and {secrets} stored secrets need one", todo)
    return ok("master keys", "none is configured; one is made at the first start")


def judge_catalog(is_on: bool, generated_at: datetime | None, now: datetime, stale_s: float) -> Finding:
    check = "catalog"
    if not is_on:
        return ok(check, "it is not synced: models and prices are those of this version and of the settings")
    if generated_at is None:
        return warning(check, "there is no snapshot yet", "wait for the first run, or: tollway sync")
    age_s = (now - generated_at).total_seconds()
    words = f"the newest snapshot is {age_s / 60:.0f} minutes old"
    if age_s > stale_s:
        return failed(check, f"{words}; it is stale after {stale_s / 60:.0f}", "see why: tollway sync")
    return ok(check, words)


def judge_prices(count: int) -> Finding:
    if not count:
        return warning("prices", "there are none", "they are put in when serving starts")
    return ok("prices", f"{count} are in force")


def judge_journals(here: Iterable[str], silent: Iterable[SilentWorker], set_aside: Sequence[str]) -> list[Finding]:
    """`here`: workers with a journal on this machine; `silent`: those that neither live nor ended."""
    local, found = frozenset(here), []
    for one in silent:
        if one.id in local:
            todo = "it is settled when serving starts, or now: tollway reconcile"
            found.append(warning("journals", f"that of worker {one.id} is not settled", todo))
        else:
            todo = f"start Tollway there; if its disk is lost: tollway reconcile --abandon {one.id}"
            found.append(warning("journals", f"worker {one.id} on {one.node} is silent, its journal is not here", todo))
    found += [warning("journals", f"set aside: {name}", "delete it when it was looked at") for name in set_aside]
    return found or [ok("journals", "nothing is left unsettled")]


def judge_damage() -> Finding:
    todo = "look at the disk, keep the files damaged-… elsewhere, and delete them"
    return failed("journals", "bytes of a journal were damaged: /readyz fails", todo)


def judge_providers(configured: Iterable[str], unavailable: Iterable[str]) -> list[Finding]:
    """Names alone: no provider is asked anything."""
    names = sorted(configured)
    none = warning("providers", "none is configured", "set a key: docs/guides/providers")
    found = [ok("providers", f"configured: {', '.join(names)}") if names else none]
    todo = "set its api_key or base_url, or take it out"
    return found + [warning("providers", f"{name} has no key or no address", todo) for name in sorted(unavailable)]


def judge_workers(workers: int, processors: int) -> Finding:
    words = f"{workers} for {processors} processors"
    if workers > processors:
        return warning("workers", words, "more than one for each gain nothing")
    return ok("workers", words)


def judge_files(open_files_max: int, in_flight: int) -> Finding:
    """How many files a worker may open, against how many requests it takes at once."""
    requests = max(0, open_files_max - FILES_BESIDE) // FILES_OF_A_REQUEST
    words = f"enough for {min(requests, in_flight):,} requests at once in each worker"
    if requests < in_flight:
        todo = f"allow more (ulimit -Hn is {open_files_max:,}), or lower limits.in_flight, which is {in_flight:,}"
        return warning("open files", words, todo)
    return ok("open files", words)


def judge_modes(modes: Mapping[str, int]) -> list[Finding]:
    """File of a secret → permission bits."""
    found = []
    for name, mode in modes.items():
        if mode & _WRITTEN_BY_OTHERS:
            found.append(warning("secret files", f"{name} may be written by others", f"chmod 600 {name}"))
        elif mode & _READ_BY_OTHERS:
            found.append(warning("secret files", f"{name} may be read by others", f"chmod 600 {name}"))
    words = f"{len(modes)}, which others may not read" if modes else "there are none"
    return found or [ok("secret files", words)]


def judge_clock(ahead_s: float) -> Finding:
    """`ahead_s`: of the database's clock; negative when behind."""
    if abs(ahead_s) > SKEW_S_MAX:
        words = f"it is {abs(ahead_s):.0f} s {'ahead of' if ahead_s > 0 else 'behind'} the database's"
        return failed("clock", words, "set it by NTP: days of limits, tokens and windows depend on it")
    return ok("clock", "it agrees with the database's")
