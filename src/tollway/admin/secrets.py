"""Master keys and what is sealed under them: count, wrap anew, retire a key. Source: guarantees K2.

Nothing that is stored is opened for that: of a secret only the wrapping changes, one row at a time, so requests go on
meanwhile, and a run that was cut off is simply run again.
"""

from collections import Counter
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Final, Protocol

from tollway.errors import Code, Problem
from tollway.identity.sealing import FreshBytes, Place, Sealed, SealError, SealingKeys, master_key_id, rewrap

ROWS: Final = 200  # that are read at once
REFERENCE: Final = "byok_encryption_key"  # what seals secrets that were taken over

Change = Callable[[Sealed], Sealed | None]


@dataclass(frozen=True, slots=True)
class StoredSecret:
    place: Place
    sealed: Sealed


class SecretStore(Protocol):
    """Every sealed column of every table. Raises StoreUnavailableError."""

    @property
    def columns(self) -> tuple[tuple[str, str], ...]:
        """Table and column."""
        ...

    async def secrets(self, table: str, column: str, after: str, limit: int) -> tuple[StoredSecret, ...]:
        """By id, those that follow the row with the id `after`."""
        ...

    async def change(self, place: Place, change: Change) -> bool:
        """Put what `change` makes of the stored secret in its place, while nobody else can; None leaves it. Whether
        anything changed."""
        ...


@dataclass(frozen=True, slots=True)
class MasterKeyUse:
    """How many secrets need that key. `is_here`: it is configured; without it they do not open."""

    key_id: str
    secrets: int
    is_here: bool
    is_active: bool


@dataclass(frozen=True, slots=True)
class Rewrapped:
    """`failed`: do not open with any key that is here; they stay as they are."""

    rewrapped: int
    failed: int


async def list_master_keys(store: SecretStore, keys: SealingKeys) -> tuple[MasterKeyUse, ...]:
    """The keys that are configured, and those that are missing, each with what needs it."""
    counted = Counter([_name(secret.sealed) async for secret in _every(store)])
    here = [*keys.master, *((REFERENCE,) if keys.reference is not None else ())]
    names = dict.fromkeys([*here, *sorted(counted)])
    return tuple(MasterKeyUse(name, counted[name], name in here, name == keys.active) for name in names)


async def rewrap_secrets(store: SecretStore, keys: SealingKeys, fresh: FreshBytes) -> Rewrapped:
    """Everything that is not sealed under the active key, afterwards is; what was taken over as well."""

    def change(sealed: Sealed) -> Sealed | None:
        return None if _name(sealed) == keys.active else rewrap(sealed, place, keys, fresh)

    rewrapped = failed = 0
    async for secret in _every(store):
        if _name(secret.sealed) == keys.active:
            continue
        place = secret.place
        try:
            rewrapped += await store.change(place, change)
        except SealError:
            failed += 1
    return Rewrapped(rewrapped, failed)


async def retire_master_key(store: SecretStore, keys: SealingKeys, key_id: str) -> Problem | None:
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


def _name(sealed: Sealed) -> str:
    return master_key_id(sealed) or REFERENCE


async def _every(store: SecretStore) -> AsyncIterator[StoredSecret]:
    for table, column in store.columns:
        after = ""
        while found := await store.secrets(table, column, after, ROWS):
            for secret in found:
                yield secret
            after = found[-1].place.row_id
