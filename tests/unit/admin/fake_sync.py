"""Stand-ins for what a run of the sync writes to."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

from servers.feeds import FakeSources, Feeds
from tollway.admin.sync import CatalogSync
from tollway.catalog.preset import Preset
from tollway.catalog.store import MirrorUnavailableError, NewSnapshot, PriceRow, StoredSnapshot

START = datetime(2026, 11, 20, 12, tzinfo=UTC)


class Snapshots:
    """Implements SnapshotStore in memory."""

    def __init__(self) -> None:
        self.kept: list[StoredSnapshot] = []
        self.put_in: list[NewSnapshot] = []

    async def newest_id(self) -> int | None:
        return self.kept[-1].id if self.kept else None

    async def newest(self) -> StoredSnapshot | None:
        return self.kept[-1] if self.kept else None

    async def previous(self) -> StoredSnapshot | None:
        return self.kept[-2] if len(self.kept) > 1 else None

    async def put(self, new: NewSnapshot) -> int:
        self.put_in.append(new)
        self.kept.append(StoredSnapshot(len(self.kept) + 1, new.generated_at, new.texts))
        return len(self.kept)


class Prices:
    """Implements PriceStore as far as a run asks; knows what was put in with the snapshots."""

    def __init__(self, snapshots: Snapshots) -> None:
        self._snapshots = snapshots

    async def in_force(self, now: datetime) -> tuple[PriceRow, ...]:
        rows = (row for new in self._snapshots.put_in for row in new.prices if row.price.effective_from <= now)
        return tuple({row.upstream_model: row for row in rows}.values())

    async def find(self, version: str) -> PriceRow | None:
        raise AssertionError(version)

    async def add(self, rows: Iterable[PriceRow]) -> int:
        raise AssertionError(rows)


class Mirror:
    """Implements Mirror; `is_away`: nothing can be written."""

    def __init__(self) -> None:
        self.is_away = False
        self.holds: StoredSnapshot | None = None
        self.public: bytes | None = None

    async def read(self) -> StoredSnapshot | None:
        if self.is_away:
            raise MirrorUnavailableError("away")
        return self.holds

    async def write(self, snapshot: StoredSnapshot, public_providers: bytes | None) -> None:
        if self.is_away:
            raise MirrorUnavailableError("away")
        self.holds = snapshot
        self.public = public_providers or self.public


class Lock:
    """Implements RunLock; `is_held` by somebody else."""

    def __init__(self) -> None:
        self.is_held = False
        self.tries = 0
        self.ours = False

    async def hold(self) -> bool:
        self.tries += 1
        self.ours = not self.is_held
        return self.ours

    async def release(self) -> None:
        self.ours = False


class Clock:
    """A minute later whenever it is looked at."""

    def __init__(self) -> None:
        self.at = START

    def __call__(self) -> datetime:
        self.at += timedelta(minutes=1)
        return self.at


class World:
    def __init__(self, mirror: Mirror | None = None) -> None:
        self.feeds = Feeds()
        self.snapshots = Snapshots()
        self.mirror = mirror
        self.lock = Lock()
        self.told: list[str] = []
        self.sync = self.made()

    def made(self, **changes: Any) -> CatalogSync:
        given: dict[str, Any] = {
            "sources": FakeSources(self.feeds),
            "snapshots": self.snapshots,
            "prices": Prices(self.snapshots),
            "mirror": self.mirror,
            "lock": self.lock,
            "preset": Preset(),
            "now": Clock(),
        }
        return CatalogSync(**{**given, **changes})
