import asyncio
from datetime import timedelta
from pathlib import Path

from contract.observed import Watch
from tollway.clock import utc_now
from tollway.storage.sql.database import open_database


def write(folder: Path) -> None:
    async def work() -> None:
        database = open_database(f"sqlite:///{folder}/tollway.db")
        watch = Watch(database)
        watch.now = utc_now()
        await watch.promise(0.999)
        await watch.promise_speed(3000, 0.95)
        await watch.requests(0.2, 40, 10)
        watch.now -= timedelta(seconds=1)
        await database.close()

    asyncio.run(work())


def test_nothing_is_watched(run) -> None:
    ended = run("alerts")
    assert (ended.code, ended.out) == (0, "")
    assert "No model is watched" in ended.err
    assert run("alerts", "--json").json == {"rules": [], "burns": []}


def test_what_is_watched_and_burns(run, tmp_path: Path) -> None:
    write(tmp_path)
    shown = run("alerts", "--json").json
    assert [(rule["kind"], rule["enabled"], rule["slo"]) for rule in shown["rules"]] == [
        ("error_rate", True, 0.999),
        ("ttfb", True, 0.95),
    ]
    assert shown["rules"][0]["baseline"]["errorRate7d"] == 0.25
    assert shown["rules"][1]["baseline"]["p95Ttfb3d"] == 45
    first = shown["burns"][0]
    assert (first["severity"], first["burn_rate"], first["requests"], first["state"]) == ("page", 250.0, 40, "breached")
    table = run("alerts").out
    assert "25.00% of 40 failed in 7 days" in table
    assert "p50 45 ms, p95 45 ms, p99 45 ms of 30 in 3 days" in table
    assert "breached" in table


def test_a_preset_that_cannot_be_read(run) -> None:
    ended = run("alerts", TOLLWAY_PRESET="nowhere.toml")
    assert (ended.code, ended.err) == (1, "tollway: preset: the file cannot be read\n")
