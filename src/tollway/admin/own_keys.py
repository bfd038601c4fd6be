"""Keys that users and organizations bring along for inference providers: list, add, replace, enable, disable, delete.

A key goes in and never comes out again: what is shown of it are its last four characters, if it is long enough. Source:
request-path 8.2; guarantees K1, K3, A3.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from tollway.admin.fields import bad, check_reference
from tollway.admin.office import SETTINGS_CHANGE
from tollway.admin.ownership import Actor, check_access
from tollway.admin.records import AuditEntry, StoredOwnKey
from tollway.admin.store import AdminStore
from tollway.errors import Code, Problem
from tollway.identity.owned import BYOK_KEYS, Owner, OwnerKind, secret_place
from tollway.identity.sealing import FreshBytes, Sealed, SealingKeys, seal
from tollway.ids import new_id
from tollway.providers.own_keys import OwnKeyError, last_four, read_own_key

KEY_CHARS_MAX: Final = 8_192

_NOT_FOUND: Final = "BYOK key not found"


@dataclass(frozen=True, slots=True)
class Desk:
    """What the use cases work with. `provider_ids`: those that a key may be for."""

    store: AdminStore
    keys: SealingKeys
    fresh: FreshBytes
    provider_ids: Collection[str]
    actor: Actor
    now: datetime


async def list_own_keys(store: AdminStore, actor: Actor, owner: Owner) -> tuple[StoredOwnKey, ...] | Problem:
    """In order of creation. Refuses: forbidden."""
    return await check_access(store, actor, owner, to_change=False) or await store.list_own_keys(owner)


async def add_own_key(desk: Desk, owner: Owner, provider_id: str, text: str) -> StoredOwnKey | Problem:
    """Refuses: bad_request (provider, key), forbidden, conflict (there is one for that provider already)."""
    refused = await check_access(desk.store, desk.actor, owner, to_change=True)
    if refused is not None:
        return refused
    provider = provider_id.strip().lower()
    if provider not in desk.provider_ids:
        return bad("provider", f"must be one of {', '.join(desk.provider_ids)}")
    key = _check_key(provider, text)
    if isinstance(key, Problem):
        return key
    row = StoredOwnKey(new_id(), owner, provider, key.last_four, True, desk.now, desk.now, desk.actor.name)
    sealed = _seal(desk, row, key.text)
    if not await desk.store.add_own_key(row, sealed, _audit(desk, owner, "Added", provider)):
        return Problem(
            Code.CONFLICT, f"there is a key for {provider} already", shown="A key for this provider already exists"
        )
    return row


async def replace_own_key(desk: Desk, owner: Owner, named: str, text: str) -> StoredOwnKey | Problem:
    """Another key for the same provider; `named` is its id or its provider.

    Refuses: bad_request, forbidden, not_found.
    """
    found = await find_own_key(desk, owner, named, to_change=True)
    if isinstance(found, Problem):
        return found
    key = _check_key(found.provider_id, text)
    if isinstance(key, Problem):
        return key
    audit = _audit(desk, owner, "Updated", found.provider_id)
    sealed = _seal(desk, found, key.text)
    changed = await desk.store.replace_own_key(owner, found.id, sealed, key.last_four, desk.now, audit)
    return changed or _missing(named)


async def enable_own_key(desk: Desk, owner: Owner, named: str, *, enabled: bool) -> StoredOwnKey | Problem:
    """A key that is not enabled is as if it were not there. Refuses: forbidden, not_found."""
    found = await find_own_key(desk, owner, named, to_change=True)
    if isinstance(found, Problem):
        return found
    audit = _audit(desk, owner, "Enabled" if enabled else "Disabled", found.provider_id)
    changed = await desk.store.enable_own_key(owner, found.id, enabled, desk.now, audit)
    return changed or _missing(named)


async def delete_own_key(desk: Desk, owner: Owner, named: str) -> StoredOwnKey | Problem:
    """It is gone for good. Refuses: forbidden, not_found."""
    found = await find_own_key(desk, owner, named, to_change=True)
    if isinstance(found, Problem):
        return found
    audit = _audit(desk, owner, "Deleted", found.provider_id)
    return found if await desk.store.delete_own_key(owner, found.id, audit) else _missing(named)


@dataclass(frozen=True, slots=True, repr=False)
class _Checked:
    text: str
    last_four: str


def _check_key(provider_id: str, text: str) -> _Checked | Problem:
    """As it is stored: trimmed. No refusal repeats it."""
    value = text.strip()
    if len(value) > KEY_CHARS_MAX:
        return bad("key", f"must have at most {KEY_CHARS_MAX} characters")
    try:
        key = read_own_key(provider_id, value)
    except OwnKeyError as error:
        return bad("key", str(error))
    if isinstance(key.secret, str) and not value.isprintable():
        return bad("key", "contains control characters")
    return _Checked(value, last_four(key))


def _seal(desk: Desk, row: StoredOwnKey, text: str) -> Sealed:
    return seal(text, secret_place(BYOK_KEYS, "sealed_key", row.id, row.owner, row.provider_id), desk.keys, desk.fresh)


async def find_own_key(desk: Desk, owner: Owner, named: str, *, to_change: bool) -> StoredOwnKey | Problem:
    """One of the owner's, by id or provider, for somebody who may look or change; one of anybody else is not there.

    Refuses: forbidden, not_found.
    """
    refused = await check_access(desk.store, desk.actor, owner, to_change=to_change)
    if refused is not None:
        return refused
    wanted = check_reference(named)
    for row in await desk.store.list_own_keys(owner):
        if wanted in (row.id, row.provider_id):
            return row
    return _missing(named)


def _missing(named: str) -> Problem:
    return Problem(Code.NOT_FOUND, f"there is no key {named!r}", shown=_NOT_FOUND)


def _audit(desk: Desk, owner: Owner, what: str, provider_id: str) -> AuditEntry | None:
    """Of organizations alone."""
    if owner.kind is not OwnerKind.ORGANIZATION:
        return None
    message = f"{what} BYOK key for provider: {provider_id}"
    return AuditEntry(new_id(), owner.id, desk.actor.name, SETTINGS_CHANGE, message, desk.now)
