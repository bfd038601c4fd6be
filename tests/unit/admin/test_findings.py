"""Where well ends and warnings begin, and what an operator is told to do."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tollway.admin import findings
from tollway.admin.findings import FREE_BYTES_FEW, FREE_BYTES_MIN, Finding, State
from tollway.admin.master_keys import MasterKeyUse, Standing
from tollway.billing.store import SilentWorker

NOW = datetime(2026, 11, 26, tzinfo=UTC)
OK, WARNING, FAILED = State.OK, State.WARNING, State.FAILED


@pytest.mark.parametrize(
    ("free", "workers", "state"),
    [
        (FREE_BYTES_MIN - 1, 1, FAILED),
        (FREE_BYTES_MIN, 1, WARNING),
        (2 * FREE_BYTES_MIN - 1, 2, FAILED),
        (FREE_BYTES_FEW - 1, 1, WARNING),
        (FREE_BYTES_FEW, 1, OK),
        (FREE_BYTES_FEW, 17, FAILED),
    ],
)
def test_room(free: int, workers: int, state: State) -> None:
    assert findings.judge_room("disk", free, workers).state is state


@pytest.mark.parametrize(
    ("use", "state", "words"),
    [
        (MasterKeyUse("a", 2, True, True, True, Standing.WELL), OK, "a is active, and has 2 stored secrets"),
        (
            MasterKeyUse("a", 1, True, False, True, Standing.WELL),
            OK,
            "a is still needed by 1 stored secret (tollway secrets rotate)",
        ),
        (MasterKeyUse("a", 0, True, False, True, Standing.WELL), OK, "a is not needed: it may be taken out"),
        (MasterKeyUse("a", 0, True, False, False, Standing.WELL), OK, "a is not needed yet"),
        (
            MasterKeyUse("a", 2, False, False, True, Standing.MISSING),
            FAILED,
            "a is missing, and 2 stored secrets need it",
        ),
        (
            MasterKeyUse("a", 2, True, True, True, Standing.WRONG),
            FAILED,
            "a is another key than the one of 2 stored secrets",
        ),
        (
            MasterKeyUse("a", 2, False, False, True, Standing.ABANDONED),
            WARNING,
            "a was given up, and 2 stored secrets need it",
        ),
        (
            MasterKeyUse("", 1, False, False, False, Standing.UNKNOWN),
            WARNING,
            "damaged secrets: in 1 stored secret, under no key that was ever here",
        ),
    ],
)
def test_master_keys(use: MasterKeyUse, state: State, words: str) -> None:
    (found,) = findings.judge_keys([use])
    assert (found.state, found.words) == (state, words)
    assert bool(found.todo) is (state is not OK)


@pytest.mark.parametrize(("secrets", "state"), [(0, OK), (1, FAILED)])
def test_no_master_key_at_all(secrets: int, state: State) -> None:
    assert findings.judge_unkept_key(secrets).state is state


@pytest.mark.parametrize(
    ("is_on", "age_s", "state"),
    [(False, None, OK), (False, 10_000, OK), (True, None, WARNING), (True, 3_600, OK), (True, 3_601, FAILED)],
)
def test_the_catalog(is_on: bool, age_s: int | None, state: State) -> None:
    made = None if age_s is None else NOW - timedelta(seconds=age_s)
    assert findings.judge_catalog(is_on, made, NOW, 3_600).state is state


def test_prices() -> None:
    assert [findings.judge_prices(count).state for count in (0, 1)] == [WARNING, OK]


def test_journals() -> None:
    """The same silent worker is settled here or over there."""
    assert [one.state for one in findings.judge_journals(["w1"], [], [])] == [OK]
    silent = SilentWorker("w1", "node-a", NOW, 5)
    (here,) = findings.judge_journals(["w1"], [silent], [])
    (there,) = findings.judge_journals([], [silent], [])
    assert "--abandon" not in here.todo
    assert there.todo.endswith("tollway reconcile --abandon w1")
    found = findings.judge_journals([], [silent], ["left-w0.journal"])
    assert [one.state for one in found] == [WARNING, WARNING]
    assert findings.judge_damage().state is FAILED


def test_providers() -> None:
    assert findings.judge_providers(["b", "a"], []) == [Finding("providers", OK, "configured: a, b")]
    assert [one.state for one in findings.judge_providers([], ["b"])] == [WARNING, WARNING]


def test_workers() -> None:
    assert [findings.judge_workers(workers, 2).state for workers in (1, 2, 3)] == [OK, OK, WARNING]


@pytest.mark.parametrize(
    ("most", "state", "requests"),
    [
        (10**9, OK, "12,000"),
        (24_200, OK, "12,000"),
        (24_199, WARNING, "11,999"),
        (1_024, WARNING, "412"),
        (9, WARNING, "0"),
    ],
)
def test_open_files(most: int, state: State, requests: str) -> None:
    found = findings.judge_files(most, 12_000)
    assert (found.state, found.words) == (state, f"enough for {requests} requests at once in each worker")


@given(st.integers(0, 0o777))
def test_files_of_secrets(mode: int) -> None:
    """Whoever is neither the owner nor of the group has no part in it; nobody but the owner writes."""
    (found,) = findings.judge_modes({"pepper": mode})
    assert (found.state is OK) is not bool(mode & 0o026)


def test_no_files_of_secrets() -> None:
    assert findings.judge_modes({}) == [Finding("secret files", OK, "there are none")]


@pytest.mark.parametrize(("ahead_s", "state"), [(0, OK), (60, OK), (-60, OK), (61, FAILED), (-61, FAILED)])
def test_the_clock(ahead_s: float, state: State) -> None:
    assert findings.judge_clock(ahead_s).state is state
