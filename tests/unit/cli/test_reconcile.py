import asyncio
import sqlite3
from collections.abc import Awaitable, Callable
from contextlib import closing
from pathlib import Path

import pytest

from contract.damage import DAMAGE, books_with_a_correction, plant
from contract.scenario import ANN, a_hold, outcome
from tollway.billing.journal import RecordKind, frame
from tollway.billing.ledger import Basis
from tollway.billing.store import LOOKUPS_MAX
from tollway.storage.journal.folders import create
from tollway.storage.sql.billing import SqlBooks
from tollway.storage.sql.database import Database, open_database

CLEAN = """\
Journals:  0 of dead workers; 0 requests settled, 0 cut short.
Estimates: 0 corrected (+$0.000000), 0 not known yet, 0 not asked.
All is well.
"""


def write(folder: Path, work: Callable[[Database], Awaitable[object]]) -> None:
    async def with_database() -> None:
        database = open_database(f"sqlite:///{folder}/tollway.db")
        try:
            await work(database)
        finally:
            await database.close()

    asyncio.run(with_database())


def balance(folder: Path) -> int:
    found: list[int] = []

    async def read(database: Database) -> None:
        found.append(await SqlBooks(database).balance(ANN))

    write(folder, read)
    return found[0]


@pytest.fixture
def silent(run, tmp_path: Path):
    """Runs a command where worker w1 leases 250 of ann's 880 and was not seen since March."""
    write(tmp_path, books_with_a_correction)
    return run


@pytest.fixture
def living(silent, tmp_path: Path):
    """The same, but w1 was seen a moment ago."""
    write(tmp_path, lambda database: SqlBooks(database).report("w1"))
    return silent


NOTHING_LEFT = {"unreadable": 0, "refused": 0, "damaged": 0, "unavailable": 0}


def test_offline_no_estimate_is_asked_about(living) -> None:
    assert "Estimates: nobody was asked (--offline).\n" in living("reconcile", "--offline").out
    assert living("reconcile", "--offline", "--json").json["looked_up"] is None


def test_where_nothing_is_wrong_nothing_is_done(run, living) -> None:
    for _ in range(2):
        ended = living("reconcile")
        assert (ended.code, ended.out, ended.err) == (0, CLEAN, "")
    assert living("reconcile", "--json").json == {
        "clean": True,
        "replayed": {"workers": 0, "settled": 0, "interrupted": 0, **NOTHING_LEFT},
        "looked_up": {"corrected": 0, "amount": 0, "unknown": 0, "unasked": 0},
        "silent_workers": [],
        "set_aside": [],
        "differences": [],
    }


@pytest.mark.parametrize("check", DAMAGE)
def test_damage_is_printed_and_not_repaired(living, tmp_path: Path, check: str) -> None:
    assert living("reconcile").code == 0
    write(tmp_path, lambda database: plant(database, check))
    found = living("ledger", "verify").out
    for _ in range(2):
        ended = living("reconcile")
        assert (ended.code, ended.err) == (1, "")
        assert found in ended.out
        assert f"\n{check}: " in ended.out
        assert ended.out.endswith("Something remains.\n")
    as_json = living("reconcile", "--json")
    assert as_json.code == 1
    assert '"clean": false' in as_json.out
    assert f'"check": "{check}"' in as_json.out


def test_a_silent_worker_is_named_with_what_it_locks_up(silent) -> None:
    for _ in range(2):
        ended = silent("reconcile")
        assert ended.code == 1
        assert (
            "Worker w1 on node was last seen 2026-03-01 12:00:00 UTC and leases $0.000250. Start Tollway there, or run "
            "this there; if its disk is lost: tollway reconcile --abandon w1\n"
        ) in ended.out
    assert '"leased_microdollars": 250' in silent("reconcile", "--json").out


def test_a_worker_that_is_abandoned_gives_its_leases_back(silent, tmp_path: Path) -> None:
    assert balance(tmp_path) == 630
    ended = silent("reconcile", "--abandon", "w1")
    assert (ended.code, ended.out) == (0, CLEAN)
    assert balance(tmp_path) == 880
    again = silent("reconcile", "--abandon", "w1")
    assert (again.code, again.err) == (
        1,
        "tollway: w1 is not a silent worker without a journal; see `tollway reconcile`\n",
    )
    assert silent("reconcile").code == 0


def test_a_living_worker_cannot_be_abandoned(living, tmp_path: Path) -> None:
    for worker in ("w1", "w2"):
        ended = living("reconcile", "--abandon", worker)
        assert (ended.code, ended.out) == (1, "")
        assert ended.err == f"tollway: {worker} is not a silent worker without a journal; see `tollway reconcile`\n"
    assert balance(tmp_path) == 630


def test_a_worker_whose_journal_is_here_and_owned_is_neither_silent_nor_to_be_abandoned(silent, tmp_path: Path) -> None:
    """The database was away for a while, so nobody has seen it; it may hold money all the same."""
    folder = create(tmp_path / "journal", "w1")
    try:
        assert silent("reconcile").code == 0
        assert silent("reconcile", "--abandon", "w1").code == 1
        assert balance(tmp_path) == 630
    finally:
        folder.release()
    ended = silent("reconcile")  # now it is dead, and its journal is empty
    assert (ended.code, "Journals:  1 of dead workers" in ended.out) == (0, True)
    assert balance(tmp_path) == 880


def test_a_request_that_cannot_be_read_from_a_journal_is_told(living, tmp_path: Path) -> None:
    folder = create(tmp_path / "journal", "w9")
    (folder.path / "00000001.journal").write_bytes(frame(RecordKind.CLOSE, "0" * 32, b"what it closes was lost"))
    folder.release()
    ended = living("reconcile")
    assert ended.code == 1
    assert "1 requests could not be settled; the log says why. They are set aside.\n" in ended.out
    (aside,) = (tmp_path / "journal-set-aside").iterdir()
    assert living("reconcile").code == 1
    aside.unlink()
    assert living("reconcile").code == 0


def test_a_journal_that_the_disk_does_not_give_is_kept_and_told(living, tmp_path: Path) -> None:
    folder = create(tmp_path / "journal", "w9")
    segment = folder.path / "00000001.journal"
    segment.mkdir()
    folder.release()
    for _ in range(2):
        ended = living("reconcile")
        assert ended.code == 1
        assert "1 journals of dead workers could not be read; the log says why. They are kept.\n" in ended.out
        assert segment.exists()
    segment.rmdir()
    assert living("reconcile").code == 0


def test_damaged_parts_are_named_until_they_are_deleted(living, tmp_path: Path) -> None:
    aside = tmp_path / "journal-set-aside" / "damaged-w9-00000001.bin"
    aside.parent.mkdir()
    aside.write_bytes(b"?")
    for _ in range(2):
        ended = living("reconcile")
        assert ended.code == 1
        assert f"Set aside from a journal: {aside}. Delete it when it was looked at.\n" in ended.out
    aside.unlink()
    assert living("reconcile").code == 0


def test_estimates_whom_nobody_can_be_asked_about_are_counted_and_no_reason_to_fail(living, tmp_path: Path) -> None:
    estimate = outcome(a_hold("r2", 0), 5, basis=Basis.ESTIMATED)
    write(tmp_path, lambda database: SqlBooks(database).settle("w1", [estimate]))
    for _ in range(LOOKUPS_MAX + 1):
        ended = living("reconcile")
        assert ended.code == 0
        assert "0 not known yet, 1 not asked." in ended.out


def test_without_its_schema_it_says_so(run, tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "tollway.db", isolation_level=None)) as connection:
        connection.execute("UPDATE alembic_version SET version_num = 'old'")
    ended = run("reconcile")
    assert (ended.code, ended.out) == (1, "")
    assert ended.err == "tollway: database_url: the schema is not current; run `tollway migrate`\n"
