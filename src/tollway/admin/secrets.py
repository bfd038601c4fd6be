"""What is sealed under master keys: wrap it anew, let a key go. Source: guarantees K2.

Nothing that is stored is opened for that: of a secret only the wrapping changes, one row at a time, so requests go on
meanwhile, and a run that was cut off is simply run again.
"""

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Final, Protocol

from tollway.admin.master_keys import REFERENCE, MasterKeyStore, MasterKeyUse, StoredSecret, list_master_keys, name_of
from tollway.errors import Code, Problem
from tollway.identity.sealing import FreshBytes, Place, Sealed, SealError, SealingKeys, rewrap

ROWS: Final = 200  # that are read at once

Change = Callable[[Sealed], Sealed | None]


class SecretStore(Protocol):
    """Every sealed column of every table. Raises StoreUnavailableError."""

    @property
    def columns(self) -> tuple[tuple[str, str], ...]:
        """Table and column."""
        ...

    async def secrets(self, table: str, column: str, after: Place | None, limit: int) -> tuple[StoredSecret, ...]:
        """In the order of their keys, those that follow the row of `after`."""
        ...

    async def change(self, place: Place, change: Change) -> bool:
        """Put what `change` makes of the stored secret in its place, while nobody else can; None leaves it. Whether
        anything changed."""
        ...


class RotationStore(SecretStore, MasterKeyStore, Protocol):
    """Both."""


@dataclass(frozen=True, slots=True)
class Rewrapped:
    """`failed`: do not open with any key that is here; they stay as they are."""

    rewrapped: int
    failed: int


async def rewrap_secrets(store: SecretStore, keys: SealingKeys, fresh: FreshBytes) -> Rewrapped:
    """Everything that is not sealed under the active key, afterwards is; what was taken over as well."""

    def change(sealed: Sealed) -> Sealed | None:
        return None if name_of(sealed) == keys.active else rewrap(sealed, place, keys, fresh)

    rewrapped = failed = 0
    async for secret in _every(store):
        if name_of(secret.sealed) == keys.active:
            continue
        place = secret.place
        try:
            rewrapped += await store.change(place, change)
        except SealError:
            failed += 1
    return Rewrapped(rewrapped, failed)


@dataclass(frozen=True, slots=True)
class Rotated:
    """How far a change of the master key is. `needed`: without these, secrets do not open. `retirable`: nothing needs
    them any more. `waiting`: they are readable and have never been the active one."""

    active: str
    rewrapped: int
    failed: int
    needed: tuple[str, ...]
    retirable: tuple[str, ...]
    waiting: tuple[str, ...]


async def rotate_master_key(store: RotationStore, keys: SealingKeys, fresh: FreshBytes) -> Rotated:
    """Wrap everything anew under the active key, and say what that leaves of the others."""
    done = await rewrap_secrets(store, keys, fresh)
    others = [use for use in await list_master_keys(store, keys) if not use.is_active]
    unused = [use for use in others if use.is_here and not use.secrets]
    return Rotated(
        active=keys.active,
        rewrapped=done.rewrapped,
        failed=done.failed,
        needed=tuple(use.key_id for use in others if use.secrets),
        retirable=tuple(use.key_id for use in unused if _was_used(use)),
        waiting=tuple(use.key_id for use in unused if not _was_used(use)),
    )


def _was_used(use: MasterKeyUse) -> bool:
    """What was taken over was never sealed here, so its key only ever waits to go."""
    return use.was_active or use.key_id == REFERENCE


async def retire_master_key(store: MasterKeyStore, keys: SealingKeys, key_id: str) -> Problem | None:
    """None: nothing needs it any more, so it may be taken out of the settings.

    Refuses: conflict (it is the active one, or something is sealed under it).
    """
    if key_id == keys.active:
        return Problem(Code.CONFLICT, shown=f"{key_id} is the active master key: put another one before it first")
    for use in await list_master_keys(store, keys):
        if use.key_id == key_id and use.secrets:
            return Problem(
                Code.CONFLICT, shown=f"{use.secrets} secrets are sealed under {key_id}: wrap them anew first"
            )
    return None


async def _every(store: SecretStore) -> AsyncIterator[StoredSecret]:
    for table, column in store.columns:
        after = None
        while found := await store.secrets(table, column, after, ROWS):
            for secret in found:
                yield secret
            after = found[-1].place
