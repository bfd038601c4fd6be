import os
import stat
from pathlib import Path

import pytest
from sqlalchemy.exc import OperationalError

from tollway.storage.sql.engine import create_sqlite_file, parse_url, reading_engine, writing_engine


@pytest.mark.parametrize(
    ("url", "driver"),
    [
        ("sqlite:///./var/tollway.db", "sqlite+pysqlite"),
        ("postgresql://user:password@host:5432/tollway", "postgresql+psycopg"),
        ("postgresql:///tollway?host=/run/postgresql", "postgresql+psycopg"),
    ],
)
def test_urls_get_our_drivers(url: str, driver: str) -> None:
    assert parse_url(url).drivername == driver


@pytest.mark.parametrize(
    "url",
    ["", "nonsense", "sqlite://", "sqlite:///:memory:", "postgres://host/x", "mysql://host/x", "postgresql://h:x/"],
)
def test_other_urls_are_refused_without_repeating_them(url: str) -> None:
    with pytest.raises(ValueError, match="the database URL"):
        parse_url(url)


def test_a_sqlite_file_is_made_with_its_folder_for_its_owner_only(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "var" / "tollway.db"
    create_sqlite_file(parse_url(f"sqlite:///{path}"))
    create_sqlite_file(parse_url(f"sqlite:///{path}"))
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_a_writing_connection_is_durable_and_strict(tmp_path: Path) -> None:
    engine = writing_engine(parse_url(f"sqlite:///{tmp_path}/a.db"), connections=1, statement_timeout_s=5.0)
    with engine.begin() as connection:
        settings = {
            name: connection.exec_driver_sql(f"PRAGMA {name}").scalar()
            for name in ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
        }
    engine.dispose()
    assert settings == {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1, "busy_timeout": 5000}


def test_a_writing_transaction_has_the_lock_from_its_start(tmp_path: Path) -> None:
    url = parse_url(f"sqlite:///{tmp_path}/a.db")
    first = writing_engine(url, connections=1, statement_timeout_s=0.0)
    second = writing_engine(url, connections=1, statement_timeout_s=0.0)
    with first.begin(), pytest.raises(OperationalError, match="locked"), second.begin():
        pass
    first.dispose()
    second.dispose()


def test_a_reading_connection_cannot_write(tmp_path: Path) -> None:
    engine = reading_engine(parse_url(f"sqlite:///{tmp_path}/a.db"), connections=1)
    with engine.begin() as connection, pytest.raises(OperationalError, match="readonly"):
        connection.exec_driver_sql("CREATE TABLE t (x)")
    engine.dispose()


def test_an_existing_file_is_not_even_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Closing it again would drop the locks that SQLite's connections of this process hold on it.
    path = tmp_path / "tollway.db"
    path.touch()

    def refuse(*_: object, **__: object) -> int:
        raise AssertionError("the database file was opened")

    monkeypatch.setattr(os, "open", refuse)
    create_sqlite_file(parse_url(f"sqlite:///{path}"))
