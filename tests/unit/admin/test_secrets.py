import asyncio

from tollway.admin import secrets
from tollway.admin.master_keys import REFERENCE
from tollway.admin.secrets import Rewrapped, Rotated, retire_master_key, rewrap_secrets, rotate_master_key
from tollway.errors import Code, Problem
from tollway.identity.sealing import SealingKeys
from tollway.ids import random_bytes
from unit.admin.sealed import AFTER, BEFORE, NEW, OLD, filled, taken_over


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
        store = taken_over()
        assert await rewrap_secrets(store, BEFORE, random_bytes) == Rewrapped(1, 0)
        assert store.texts(SealingKeys({"old": OLD}, "old")) == {"sk-test-1234567890"}

    asyncio.run(scenario())


def test_what_does_not_open_is_left_as_it_is() -> None:
    async def scenario() -> None:
        store = filled(1)
        before = dict(store.stored)
        assert await rewrap_secrets(store, SealingKeys({"new": NEW}, "new"), random_bytes) == Rewrapped(0, 2)
        assert store.stored == before

    asyncio.run(scenario())


def test_a_change_says_what_is_next() -> None:
    """A key that is to come and one that may go look alike in the settings: that it was active tells them apart."""

    async def scenario() -> None:
        store = filled(1)
        assert await rotate_master_key(store, SealingKeys({"old": OLD}, "old"), random_bytes) == Rotated(
            "old", 0, 0, needed=(), retirable=(), waiting=()
        )
        store.know("old")
        before = await rotate_master_key(store, BEFORE, random_bytes)
        assert (before.waiting, before.retirable) == (("new",), (REFERENCE,))
        lost = await rotate_master_key(store, SealingKeys({"new": NEW}, "new"), random_bytes)
        assert (lost.failed, lost.needed, lost.retirable) == (2, ("old",), ())
        assert await rotate_master_key(store, AFTER, random_bytes) == Rotated(
            "new", 2, 0, needed=(), retirable=("old", REFERENCE), waiting=()
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
