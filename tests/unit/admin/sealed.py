"""Stored secrets in memory, for tests of what is done with master keys."""

from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime

from tollway.admin.master_keys import KnownKey, StoredSecret, StoredUses, name_of
from tollway.admin.secrets import Change
from tollway.identity.sealing import Place, Sealed, SealingKeys, seal, unseal
from tollway.ids import random_bytes

NOW = datetime(2026, 11, 26, tzinfo=UTC)
OLD, NEW = bytes(range(32)), bytes(range(32, 64))
BEFORE = SealingKeys({"old": OLD, "new": NEW}, "old", OLD)
AFTER = SealingKeys({"new": NEW, "old": OLD}, "new", OLD)
TAKEN_OVER = {"iv": "AAECAwQFBgcICQoL", "data": "NGn7b6CWtja8c6S/hN9PVbrm", "authTag": "4E7sFunw4xVAPKdVyIYrsA=="}


@dataclass
class FakeSecrets:
    """Implements SecretStore and MasterKeyStore for two columns. `dies_after` so many changes."""

    stored: dict[Place, StoredSecret] = field(default_factory=dict)
    known: dict[str, KnownKey] = field(default_factory=dict)
    dies_after: int = 1_000
    tried: list[str] = field(default_factory=list)
    columns: tuple[tuple[str, str], ...] = (("a", "key"), ("b", "key"))

    async def secrets(self, table: str, column: str, after: Place | None, limit: int) -> tuple[StoredSecret, ...]:
        of = [one for one in self.stored.values() if (one.place.table, one.place.column) == (table, column)]
        rest = (one for one in of if after is None or one.place.row_id > after.row_id)
        return tuple(sorted(rest, key=lambda one: one.place.row_id))[:limit]

    async def change(self, place: Place, change: Change) -> bool:
        if self.dies_after == 0:
            raise KeyboardInterrupt
        self.dies_after -= 1
        changed = change(self.stored[place].sealed)
        if changed is not None:
            self.stored[place] = StoredSecret(place, changed)
        return changed is not None

    async def uses(self) -> StoredUses:
        return StoredUses(Counter(name_of(one.sealed) for one in self.stored.values()), dict(self.known))

    async def sealed_under(self, key_id: str, limit: int) -> tuple[StoredSecret, ...]:
        self.tried.append(key_id)
        return tuple(one for one in self.stored.values() if name_of(one.sealed) == key_id)[:limit]

    async def keep_check(self, key_id: str, check: Sealed, now: datetime) -> None:
        self.known[key_id] = KnownKey(check, False)

    async def abandon(self, key_id: str, now: datetime) -> None:
        self.known[key_id] = KnownKey(None, True)

    def texts(self, keys: SealingKeys) -> set[str]:
        return {unseal(one.sealed, place, keys) for place, one in self.stored.items()}

    def know(self, key_id: str) -> None:
        """It was active once, and its check value is damaged."""
        self.known[key_id] = KnownKey({"key_id": key_id}, False)

    def put(self, place: Place, sealed: Sealed) -> None:
        self.stored[place] = StoredSecret(place, sealed)


def filled(count: int = 5) -> FakeSecrets:
    """So many in each column, under the old key."""
    store = FakeSecrets()
    for table, _ in store.columns:
        for number in range(count):
            place = Place(table, "key", f"{number:03}", "user", "ann", "openai")
            store.put(place, seal(f"{table}{number}", place, BEFORE, random_bytes))
    return store


def taken_over() -> FakeSecrets:
    """One secret in the form of the reference, under the old key's bytes."""
    store = FakeSecrets()
    store.put(Place("a", "key", "1", "user", "ann", "anthropic"), TAKEN_OVER)
    return store
