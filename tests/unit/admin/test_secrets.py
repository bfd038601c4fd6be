import asyncio
from dataclasses import dataclass, field

from tollway.admin import secrets
from tollway.admin.secrets import (
    REFERENCE,
    Change,
    MasterKeyUse,
    Rewrapped,
    StoredSecret,
    list_master_keys,
    retire_master_key,
    rewrap_secrets,
)
from tollway.errors import Code, Problem
from tollway.identity.sealing import Place, SealingKeys, seal, unseal
from tollway.ids import random_bytes

OLD, NEW = bytes(range(32)), bytes(range(32, 64))
BEFORE = SealingKeys({"old": OLD, "new": NEW}, "old", OLD)
AFTER = SealingKeys({"new": NEW, "old": OLD}, "new", OLD)
TAKEN_OVER = {"iv": "AAECAwQFBgcICQoL", "data": "NGn7b6CWtja8c6S/hN9PVbrm", "authTag": "4E7sFunw4xVAPKdVyIYrsA=="}


@dataclass
class FakeSecrets:
    """Implements SecretStore for two columns. `dies_after` so many changes."""

    stored: dict[Place, StoredSecret] = field(default_factory=dict)
    dies_after: int = 1_000
    columns: tuple[tuple[str, str], ...] = (("a", "key"), ("b", "key"))

    async def secrets(self, table: str, column: str, after: str, limit: int) -> tuple[StoredSecret, ...]:
        of = [one for one in self.stored.values() if (one.place.table, one.place.column) == (table, column)]
        return tuple(sorted((one for one in of if one.place.row_id > after), key=lambda one: one.place.row_id))[:limit]

    async def change(self, place: Place, change: Change) -> bool:
        if self.dies_after == 0:
            raise KeyboardInterrupt
        self.dies_after -= 1
        changed = change(self.stored[place].sealed)
        if changed is not None:
            self.stored[place] = StoredSecret(place, changed)
        return changed is not None

    def texts(self, keys: SealingKeys) -> set[str]:
        return {unseal(one.sealed, place, keys) for place, one in self.stored.items()}


def filled(count: int = 5) -> FakeSecrets:
    store = FakeSecrets()
    for table, _ in store.columns:
        for number in range(count):
            place = Place(table, "key", f"{number:03}", "user", "ann", "openai")
            store.stored[place] = StoredSecret(place, seal(f"{table}{number}", place, BEFORE, random_bytes))
    return store


def test_everything_ends_under_the_active_key() -> None:
    async def scenario() -> None:
        store = filled(secrets.ROWS + 1)
        texts = store.texts(BEFORE)
        assert await rewrap_secrets(store, AFTER, random_bytes) == Rewrapped(2 * secrets.ROWS + 2, 0)
        assert store.texts(SealingKeys({"new": NEW}, "new")) == texts
        assert await rewrap_secrets(store, AFTER, random_bytes) == Rewrapped(0, 0)

    asyncio.run(scenario())


def test_a_run_that_was_cut_off_is_run_again() -> None:
    async def scenario() -> None:
        store = filled()
        texts = store.texts(BEFORE)
        store.dies_after = 3
        try:
            await rewrap_secrets(store, AFTER, random_bytes)
        except KeyboardInterrupt:
            store.dies_after = 1_000
        assert store.texts(AFTER) == texts  # whoever asks meanwhile is served
        assert await rewrap_secrets(store, AFTER, random_bytes) == Rewrapped(7, 0)

    asyncio.run(scenario())


def test_what_was_taken_over_becomes_an_envelope() -> None:
    async def scenario() -> None:
        store, place = FakeSecrets(), Place("a", "key", "1", "user", "ann", "anthropic")
        store.stored[place] = StoredSecret(place, TAKEN_OVER)
        assert (await list_master_keys(store, BEFORE))[-1] == MasterKeyUse(REFERENCE, 1, True, False)
        assert await rewrap_secrets(store, BEFORE, random_bytes) == Rewrapped(1, 0)
        assert store.texts(SealingKeys({"old": OLD}, "old")) == {"sk-test-1234567890"}

    asyncio.run(scenario())


def test_what_does_not_open_is_left_as_it_is() -> None:
    async def scenario() -> None:
        store = filled(1)
        before = dict(store.stored)
        assert await rewrap_secrets(store, SealingKeys({"new": NEW}, "new"), random_bytes) == Rewrapped(0, 2)
        assert store.stored == before
        assert await list_master_keys(store, SealingKeys({"new": NEW}, "new")) == (
            MasterKeyUse("new", 0, True, True),
            MasterKeyUse("old", 2, False, False),
        )

    asyncio.run(scenario())


def test_a_key_is_retired_when_nothing_needs_it() -> None:
    async def scenario() -> None:
        store = filled()
        for key_id in ("new", "old"):
            problem = await retire_master_key(store, AFTER, key_id)
            assert isinstance(problem, Problem)
            assert problem.code is Code.CONFLICT
        await rewrap_secrets(store, AFTER, random_bytes)
        assert await retire_master_key(store, AFTER, "old") is None
        assert await retire_master_key(store, AFTER, REFERENCE) is None
        assert await retire_master_key(store, AFTER, "new") is not None

    asyncio.run(scenario())
