"""The newest snapshot as a worker keeps it in memory: looked for in the mirror, then in the database; the last good one
stays whatever happens to either.

Money and permissions do not depend on the mirror: prices and endpoints are read from the database alone.
Source: catalog-and-clients A.6.3.
"""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import Final

from msgspec import Struct
from msgspec.json import encode

from tollway.billing.store import StoreUnavailableError
from tollway.catalog.feed.building import NOBODY, PolicyIndex, normalised, policy_index
from tollway.catalog.feed.guards import failures_of
from tollway.catalog.feed.payloads import Payloads, read_payloads
from tollway.catalog.feed.pricing import unpriced
from tollway.catalog.feed.reading import FeedError
from tollway.catalog.store import Mirror, MirrorUnavailableError, SnapshotStore, StoredSnapshot

AGAIN_S: Final = 1.0  # between two tries while there is nothing at all


class Synced(Struct, frozen=True):
    """A snapshot, and what is looked up in it. `by_provider` and `providers` are bodies of answers; `training`:
    normalised ids of models that a provider which trains on prompts may serve."""

    stored: StoredSnapshot
    payloads: Payloads
    index: PolicyIndex
    training: frozenset[str]
    unpriced: frozenset[str]
    providers: bytes

    @property
    def by_provider(self) -> bytes:
        return self.stored.texts.providers


def synced_of(stored: StoredSnapshot) -> Synced:
    """Raises FeedError for what is no snapshot, or too little of one."""
    payloads = read_payloads(stored.texts)
    failures = failures_of(payloads)
    if failures:
        raise FeedError(failures[0])
    training = frozenset(
        normalised(card.slug).lower()
        for provider in payloads.providers.providers
        if provider.dataPolicy.training
        for card in provider.models
    )
    return Synced(
        stored,
        payloads,
        policy_index(payloads.providers),
        training,
        unpriced(payloads.openrouter or {}),
        encode({"data": [_without_none(one) for one in payloads.providers.providers]}),
    )


class SnapshotReader:
    """`latest` is replaced whole by `refresh`, which is called from time to time, and by `read` while there is none.

    `now`: monotonic seconds. `on_miss`: called for each copy in the mirror that could not be used.
    """

    def __init__(
        self, snapshots: SnapshotStore, mirror: Mirror | None, now: Callable[[], float], on_miss: Callable[[], None]
    ) -> None:
        self._snapshots = snapshots
        self._mirror = mirror
        self._now = now
        self._on_miss = on_miss
        self._reading = asyncio.Lock()
        self._tried_at = float("-inf")
        self.latest: Synced | None = None

    async def read(self) -> Synced | None:
        """The latest; while there is none it is looked for, at most once a second for all who ask."""
        if self.latest is None:
            async with self._reading:
                if self.latest is None and self._now() - self._tried_at >= AGAIN_S:
                    await self._refresh_quietly()
        return self.latest

    async def refresh(self) -> None:
        """Look whether there is a newer one. Raises StoreUnavailableError when neither place can tell."""
        async with self._reading:
            self._tried_at = self._now()
            await self._refresh()

    def serving(self, model_id: str) -> frozenset[str]:
        """Slugs of the providers that serve the model; none while nothing is known."""
        latest = self.latest
        return latest.index.get(normalised(model_id), NOBODY) if latest else NOBODY

    async def _refresh_quietly(self) -> None:
        with suppress(StoreUnavailableError):
            await self._refresh()
        self._tried_at = self._now()

    async def _refresh(self) -> None:
        away: StoreUnavailableError | None = None
        newest: int | None = None
        try:
            newest = await self._snapshots.newest_id()
            if newest is None or (self.latest and self.latest.stored.id == newest):
                return
        except StoreUnavailableError as error:
            away = error
        mirrored = await self._mirrored()
        if mirrored and (mirrored.stored.id == newest or (away and self._is_news(mirrored))):
            self.latest = mirrored
            return
        if away:
            raise away
        stored = await self._snapshots.newest()
        if stored:
            try:
                self.latest = await asyncio.to_thread(synced_of, stored)
            except FeedError:  # of another version: what is known stays, and the next run writes a new one
                return

    def _is_news(self, mirrored: Synced) -> bool:
        return self.latest is None or mirrored.stored.id > self.latest.stored.id

    async def _mirrored(self) -> Synced | None:
        if self._mirror is None:
            return None
        try:
            stored = await self._mirror.read()
            return await asyncio.to_thread(synced_of, stored) if stored else None
        except (MirrorUnavailableError, FeedError):
            self._on_miss()
            return None


def _without_none(provider: Struct) -> dict[str, object]:
    fields = {name: getattr(provider, name) for name in provider.__struct_fields__}
    return {name: value for name, value in fields.items() if value is not None and name != "models"}
