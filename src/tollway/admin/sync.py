"""One run of the catalog's sync: gather, judge, store, mirror. Essential steps fail it, best-effort ones are told.

Nothing is written before everything is known, and then all of it in one transaction; runs never overlap.
Source: catalog-and-clients A.4, A.5, A.6.
"""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, Literal, Protocol

from msgspec import Struct
from msgspec.json import encode

from tollway.admin.feed_gathering import Gathered, Tell, gather, gather_public_providers
from tollway.catalog.endpoints import Endpoints, EndpointsError, read_endpoints
from tollway.catalog.feed.changes import Changes, changes_of
from tollway.catalog.feed.guards import judge
from tollway.catalog.feed.payloads import Payloads, Texts, read_payloads, write_payloads
from tollway.catalog.feed.pricing import synced_prices
from tollway.catalog.feed.reading import FeedError
from tollway.catalog.feed.sources import Sources
from tollway.catalog.preset import Preset
from tollway.catalog.store import (
    Mirror,
    MirrorUnavailableError,
    NewSnapshot,
    PriceStore,
    SnapshotStore,
    StoredSnapshot,
)

RUN_S: Final = 300.0
LOCK_TRIES: Final = 10
LOCK_PAUSE_S: Final = 0.1

Outcome = Literal["stored", "failed", "held", "running"]


class RunLock(Protocol):
    """Held by the one run of a deployment. Raises StoreUnavailableError."""

    async def hold(self) -> bool: ...

    async def release(self) -> None: ...


class SyncResult(Struct, frozen=True):
    """`reasons`: why it failed or waits for the operator. `kept`: models that stay as they were. `is_mirrored` None:
    there is no mirror."""

    outcome: Outcome
    reasons: tuple[str, ...] = ()
    snapshot_id: int | None = None
    generated_at: str = ""
    total_providers: int = 0
    total_models: int = 0
    models: Mapping[str, int] = {}
    new_prices: int = 0
    dropped: Mapping[str, int] = {}
    dropped_ids: tuple[str, ...] = ()
    kept: tuple[str, ...] = ()
    changes: Changes = Changes()
    is_mirrored: bool | None = None


@dataclass(frozen=True, slots=True)
class CatalogSync:
    """`now`: aware, UTC. Methods raise StoreUnavailableError."""

    sources: Sources
    snapshots: SnapshotStore
    prices: PriceStore
    mirror: Mirror | None
    lock: RunLock
    preset: Preset
    now: Callable[[], datetime]

    async def run(self, tell: Tell, *, accept: bool = False) -> SyncResult:
        """`accept`: what is held otherwise is stored. `tell` hears of each step, in words."""
        if not await self._is_ours():
            return SyncResult("running")
        try:
            async with asyncio.timeout(RUN_S):
                return await self._run(tell, accept)
        except FeedError as error:
            return SyncResult("failed", (str(error),))
        except TimeoutError:
            return SyncResult("failed", (f"it was not done within {RUN_S:g} s",))
        finally:
            await self.lock.release()

    async def roll_back(self, tell: Tell) -> SyncResult:
        """The snapshot before the newest once more, under a new id, with its prices."""
        if not await self._is_ours():
            return SyncResult("running")
        try:
            newest, previous = await self.snapshots.newest(), await self.snapshots.previous()
            if previous is None:
                return SyncResult("failed", ("there is no snapshot before the newest one",))
            payloads = read_payloads(previous.texts)
            before = read_payloads(newest.texts) if newest else None
            gathered = Gathered(payloads, {}, (), ())
            return await self._store(gathered, previous.texts, changes_of(payloads, before), None, tell)
        except FeedError as error:
            return SyncResult("failed", (str(error),))
        finally:
            await self.lock.release()

    async def _is_ours(self) -> bool:
        for attempt in range(LOCK_TRIES + 1):
            if await self.lock.hold():
                return True
            if attempt < LOCK_TRIES:
                await asyncio.sleep(LOCK_PAUSE_S)
        return False

    async def _run(self, tell: Tell, accept: bool) -> SyncResult:
        before = await self._before(tell)
        gathered = await gather(self.sources, before, self.preset, iso(self.now()), tell)
        public = await gather_public_providers(self.sources, tell)
        payloads = gathered.payloads
        texts = write_payloads(payloads)
        verdict = judge(payloads, texts.size, gathered.dropped_ids, before)
        changes = changes_of(payloads, before)
        if verdict.failures:
            return _described("failed", gathered, changes, verdict.failures)
        if verdict.held and not accept:
            return _described("held", gathered, changes, verdict.held)
        mirrored = None if public is None else encode(public)
        return await self._store(gathered, texts, changes, mirrored, tell)

    async def _before(self, tell: Tell) -> Payloads | None:
        newest = await self.snapshots.newest()
        try:
            return read_payloads(newest.texts) if newest else None
        except FeedError as error:  # written by another version: there is nothing to compare with
            tell(f"the stored snapshot cannot be read: {error}")
            return None

    async def _store(
        self, gathered: Gathered, texts: Texts, changes: Changes, public: bytes | None, tell: Tell
    ) -> SyncResult:
        now, models = self.now(), gathered.payloads.openrouter or {}
        prices = synced_prices(models, await self.prices.in_force(now), now)
        endpoints = _endpoints_in(texts.vercel)
        id_ = await self.snapshots.put(NewSnapshot(now, texts, prices, endpoints))
        tell(f"snapshot {id_} is stored, with {len(prices)} new prices")
        is_mirrored = await self._mirror(StoredSnapshot(id_, now, texts), public, tell)
        return _described("stored", gathered, changes, (), id_, now, len(prices), is_mirrored)

    async def _mirror(self, snapshot: StoredSnapshot, public: bytes | None, tell: Tell) -> bool | None:
        if self.mirror is None:
            return None
        try:
            await self.mirror.write(snapshot, public)
        except MirrorUnavailableError as error:
            tell(f"the mirror in Redis was not written: {error}")
            return False
        return True


def iso(instant: datetime) -> str:
    """ISO 8601 with milliseconds and Z, as the wire has it."""
    return f"{instant.astimezone(UTC):%Y-%m-%dT%H:%M:%S}.{instant.microsecond // 1000:03d}Z"


def _endpoints_in(vercel: bytes | None) -> Endpoints | None:
    """Raises FeedError."""
    try:
        return None if vercel is None else read_endpoints(vercel)
    except EndpointsError as error:
        raise FeedError(f"vercel: {error}") from None


def _described(
    outcome: Outcome,
    gathered: Gathered,
    changes: Changes,
    reasons: tuple[str, ...],
    snapshot_id: int | None = None,
    stored_at: datetime | None = None,
    new_prices: int = 0,
    is_mirrored: bool | None = None,
) -> SyncResult:
    payloads = gathered.payloads
    sizes = {"openrouter": payloads.openrouter, "vercel": payloads.vercel}
    return SyncResult(
        outcome=outcome,
        reasons=reasons,
        snapshot_id=snapshot_id,
        generated_at=iso(stored_at) if stored_at else payloads.providers.generated_at,
        total_providers=payloads.providers.total_providers,
        total_models=payloads.providers.total_models,
        models={name: len(models) for name, models in sizes.items() if models is not None},
        new_prices=new_prices,
        dropped=gathered.dropped,
        dropped_ids=gathered.dropped_ids,
        kept=gathered.kept,
        changes=changes,
        is_mirrored=is_mirrored,
    )
