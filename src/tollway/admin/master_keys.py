"""Which master keys stored secrets need, and whether each is here and the right one. Source: guarantees §8, K2.

A key proves itself by its check value: something sealed under it when it was first the active one. Without that, or
when that is damaged, it proves itself by any stored secret that it opens. So one damaged secret never makes a key look
wrong, and an id that nobody here ever had is damage, not a key that is missing.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final, Protocol

from tollway.errors import Code, Problem
from tollway.identity.master_keys import KEY_ID
from tollway.identity.owned import DEPLOYMENT, secret_place
from tollway.identity.sealing import FreshBytes, Place, Sealed, SealingKeys, has_its_key, master_key_id, seal

REFERENCE: Final = "byok_encryption_key"  # what seals secrets that were taken over
TRIED: Final = 20  # of each column, where there is no check value that opens


class Standing(StrEnum):
    """`missing` and `wrong` refuse to start. `abandoned`: it is lost, and whoever needs it was told to enter anew.
    `unknown`: no such key was ever here, so it is the row that is damaged."""

    WELL = "well"
    MISSING = "missing"
    WRONG = "wrong"
    ABANDONED = "abandoned"
    UNKNOWN = "unknown"


FAULTS: Final = frozenset({Standing.MISSING, Standing.WRONG})


@dataclass(frozen=True, slots=True)
class MasterKeyUse:
    """How many secrets need that key. `is_here`: it is configured. `was_active`: it sealed something once."""

    key_id: str
    secrets: int
    is_here: bool
    is_active: bool
    was_active: bool
    standing: Standing


@dataclass(frozen=True, slots=True)
class StoredSecret:
    place: Place
    sealed: Sealed


@dataclass(frozen=True, slots=True)
class KnownKey:
    """A key that was here once. `check`: sealed under it; None: not yet."""

    check: Sealed | None
    is_abandoned: bool


@dataclass(frozen=True, slots=True)
class StoredUses:
    """By key id: how many secrets name it, and the keys that were here. What names none counts under ""."""

    secrets: Mapping[str, int]
    known: Mapping[str, KnownKey]


class MasterKeyStore(Protocol):
    """Raises StoreUnavailableError."""

    async def uses(self) -> StoredUses:
        """As of one instant."""
        ...

    async def sealed_under(self, key_id: str, limit: int) -> tuple[StoredSecret, ...]:
        """At most `limit` of each column."""
        ...

    async def keep_check(self, key_id: str, check: Sealed, now: datetime) -> None:
        """In place of an older one; the key is not abandoned (any more)."""
        ...

    async def abandon(self, key_id: str, now: datetime) -> None: ...


async def list_master_keys(store: MasterKeyStore, keys: SealingKeys) -> tuple[MasterKeyUse, ...]:
    """The keys that are configured, and those that are named by stored secrets. Nothing is written."""
    return await _uses(store, keys, await store.uses())


async def prove_master_keys(
    store: MasterKeyStore, keys: SealingKeys, fresh: FreshBytes, now: datetime
) -> tuple[MasterKeyUse, ...]:
    """The same, and check values for keys that are right and have none that opens: the active one, and those in use.

    Before a process seals anything, so that its key is known from then on.
    """
    stored = await store.uses()
    uses = await _uses(store, keys, stored)
    for use in uses:
        is_right = use.is_here and use.standing is Standing.WELL and (use.is_active or use.secrets)
        if is_right and not _is_proven(use.key_id, stored, keys):
            await store.keep_check(use.key_id, _check_value(use.key_id, keys, fresh), now)
    return uses


def refusal_of(uses: Iterable[MasterKeyUse]) -> str | None:
    """The line with which a start is refused: key ids and nothing else of them. None: all that is needed is here."""
    faults = [use for use in uses if use.standing in FAULTS]
    if not faults:
        return None
    return "; ".join(map(_words, faults))


def setting_of(key_id: str) -> str:
    """Where a key with that id is configured."""
    return REFERENCE if key_id == REFERENCE else "master_keys"


async def abandon_master_key(store: MasterKeyStore, keys: SealingKeys, key_id: str, now: datetime) -> Problem | None:
    """A key is lost: nobody waits for it any more. What is sealed under it stays, for the day on which it is found.

    Refuses: conflict (it is here), not_found (nothing needs it).
    """
    if key_id in keys.master or (key_id == REFERENCE and keys.reference is not None):
        return Problem(Code.CONFLICT, shown=f"{key_id} is configured: take it out of the settings first")
    if not (await store.uses()).secrets.get(key_id):
        return Problem(Code.NOT_FOUND, shown=f"nothing that is stored needs {key_id}")
    await store.abandon(key_id, now)
    return None


def name_of(sealed: Sealed) -> str:
    """The key that a stored secret needs."""
    return master_key_id(sealed) or REFERENCE


async def _uses(store: MasterKeyStore, keys: SealingKeys, stored: StoredUses) -> tuple[MasterKeyUse, ...]:
    here = [*keys.master, *((REFERENCE,) if keys.reference is not None else ())]
    found, secrets = [], Counter[str]()
    for key_id, count in stored.secrets.items():
        secrets[key_id if KEY_ID.fullmatch(key_id) else ""] += count
    for key_id in dict.fromkeys([*here, *sorted(secrets)]):
        count, is_here = secrets[key_id], key_id in here
        if is_here:
            is_right = not count or _is_proven(key_id, stored, keys) or await _opens_any(store, keys, key_id)
            standing = Standing.WELL if is_right else Standing.WRONG
        else:
            standing = _standing_of_absent(key_id, stored.known.get(key_id))
        found.append(MasterKeyUse(key_id, count, is_here, key_id == keys.active, key_id in stored.known, standing))
    return tuple(found)


def _standing_of_absent(key_id: str, known: KnownKey | None) -> Standing:
    if known is None:  # secrets that are taken over come by SQL, so their key is not announced by any process
        return Standing.MISSING if key_id == REFERENCE else Standing.UNKNOWN
    return Standing.ABANDONED if known.is_abandoned else Standing.MISSING


def _is_proven(key_id: str, stored: StoredUses, keys: SealingKeys) -> bool:
    known = stored.known.get(key_id)
    return known is not None and has_its_key(known.check, _check_place(key_id), _alone(key_id, keys))


async def _opens_any(store: MasterKeyStore, keys: SealingKeys, key_id: str) -> bool:
    tried = await store.sealed_under(key_id, TRIED)
    return any(has_its_key(one.sealed, one.place, keys) for one in tried)


def _check_value(key_id: str, keys: SealingKeys, fresh: FreshBytes) -> Sealed:
    return seal("", _check_place(key_id), _alone(key_id, keys), fresh)


def _check_place(key_id: str) -> Place:
    return secret_place("master_keys", "check_value", key_id, DEPLOYMENT, "")


def _alone(key_id: str, keys: SealingKeys) -> SealingKeys:
    """That key as a master key: the reference's own form has nothing that binds a check value to its place."""
    key = keys.reference if key_id == REFERENCE and keys.reference is not None else keys.master[key_id]
    return SealingKeys({key_id: key}, key_id)


def _words(use: MasterKeyUse) -> str:
    named = f"{REFERENCE}:" if use.key_id == REFERENCE else f"master_keys: {use.key_id}"
    what = "is missing" if use.standing is Standing.MISSING else "is another key than before"
    need = "1 stored secret needs it" if use.secrets == 1 else f"{use.secrets} stored secrets need it"
    return f"{named} {what}, and {need}"
