"""The use cases run against the real store on a SQLite file; what both databases must do is in tests/contract."""

import asyncio
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tollway.storage.migrations.run import migrate
from tollway.storage.sql.admin.store import SqlAdmin
from tollway.storage.sql.database import open_database


@pytest.fixture(scope="session")
def migrated_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("migrated") / "tollway.db"
    migrate(f"sqlite:///{path}")
    return path


@pytest.fixture
def store(migrated_file: Path, tmp_path: Path) -> Iterator[SqlAdmin]:
    database = open_database(f"sqlite:///{shutil.copy(migrated_file, tmp_path / 'tollway.db')}", pool_size=1)
    yield SqlAdmin(database)
    asyncio.run(database.close())


@pytest.fixture
def now() -> datetime:
    return datetime(2026, 3, 1, 12, tzinfo=UTC)
