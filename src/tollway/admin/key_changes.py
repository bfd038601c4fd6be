"""API keys as their users and organizations manage them: list, create, change, rotate, revoke.

A member has their own keys; owners and billing managers have all keys of the organization. A key that is itself limited
makes and changes none, or it would give itself more than it has (guarantees A3, K4). Source: catalog-and-clients E.7.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from msgspec import UNSET, UnsetType

from tollway.admin.fields import bad, check_amount, check_page, check_reference, check_text
from tollway.admin.keys import MODELS, CreatedKey, NewKey, create_key
from tollway.admin.members import find_member
from tollway.admin.office import KEY, Office
from tollway.admin.ownership import MANAGERS, role_of
from tollway.admin.records import ApiKey, AuditEntry, KeyScope, Page
from tollway.admin.restrictions import check_list
from tollway.admin.service_accounts import NO_PERSON
from tollway.admin.store import AdminStore
from tollway.errors import Code, Problem
from tollway.identity.keys import RANDOM_CHARS, hash_key, last_four, make_key
from tollway.identity.owned import Owner, OwnerKind
from tollway.ids import random_text

NOT_FOUND: Final = Problem(Code.NOT_FOUND, shown="API key not found")
_LIMITED: Final = "A key with a limit, an expiry or a list of models of its own may not make or change keys"


@dataclass(frozen=True, slots=True)
class KeyChange:
    """What is UNSET stays; None lifts a limit, an expiry or a list of models, as an empty list does."""

    label: str | UnsetType = UNSET
    limit_microdollars: int | UnsetType | None = UNSET
    expires_at: datetime | UnsetType | None = UNSET
    model_allow_list: tuple[str, ...] | UnsetType | None = UNSET


@dataclass(frozen=True, slots=True)
class KeyDesk:
    """`owner`: whose keys; None: all, for the operator. `with_key`: the id of the key that asks, if it is one."""

    office: Office
    owner: Owner | None
    pepper: bytes
    with_key: str | None = None


async def list_keys_of(desk: KeyDesk, page: Page) -> tuple[ApiKey, ...] | Problem:
    """Newest first. Refuses: bad_request, forbidden."""
    scope, checked = await _scope(desk), check_page(page)
    if isinstance(scope, Problem):
        return scope
    return checked if isinstance(checked, Problem) else await desk.office.store.list_keys_in(checked, scope)


async def find_key(desk: KeyDesk, named: str) -> ApiKey | Problem:
    """Refuses: forbidden, not_found."""
    scope = await _scope(desk)
    if isinstance(scope, Problem):
        return scope
    return await desk.office.store.find_key(check_reference(named), scope) or NOT_FOUND


async def create_key_of(desk: KeyDesk, entered: KeyChange) -> CreatedKey | Problem:
    """A key of who asks, for themselves or for the organization. Refuses: bad_request, forbidden."""
    scope = await _scope_to_change(desk)
    if isinstance(scope, Problem):
        return scope
    office, organization = desk.office, scope.organization_id
    order = _order(str(office.actor.user_id), organization, entered)
    audit = office.audit(organization, KEY, "Created an API key") if organization else None
    return await create_key(office.store, order, desk.pepper, office.now, audit)


async def create_key_for(desk: KeyDesk, organization_id: str, named: str, entered: KeyChange) -> CreatedKey | Problem:
    """The organization's key for a service account that is its member: a program makes itself none. Nobody makes keys
    for a person, or they would act as them.

    Refuses: bad_request, forbidden (no service account, one that is not below who asks), not_found.
    """
    office = desk.office
    member = await check_unlimited(office.store, desk.with_key) or await find_member(office, organization_id, named)
    if isinstance(member, Problem):
        return member
    if not member.is_bot:
        return NO_PERSON
    audit = office.audit(organization_id, KEY, f"Created an API key for {member.email}")
    order = _order(member.user_id, organization_id, entered)
    return await create_key(office.store, order, desk.pepper, office.now, audit)


async def change_key(desk: KeyDesk, named: str, change: KeyChange) -> ApiKey | Problem:
    """Label, limit, expiry, models. A revoked key is not there. Refuses: bad_request, forbidden, not_found."""
    if change == KeyChange():
        return Problem(Code.BAD_REQUEST, shown="name what is to be changed")
    values = _checked(change, desk.office.now)
    return values if isinstance(values, Problem) else await _change(desk, named, values, "Changed")


async def rotate_key(desk: KeyDesk, named: str) -> CreatedKey | Problem:
    """Another secret for the same key: what it spent and may spend goes on, and the old secret ends now.

    Refuses: forbidden, not_found (revoked keys as well).
    """
    key = make_key(random_text(RANDOM_CHARS))
    values = {"secret_hash": hash_key(key, desk.pepper), "last_four": last_four(key)}
    changed = await _change(desk, named, values, "Rotated")
    return changed if isinstance(changed, Problem) else CreatedKey(key, changed)


async def revoke_key_of(desk: KeyDesk, named: str) -> ApiKey | Problem:
    """Refused within seconds, in every process. Once more changes nothing. Refuses: forbidden, not_found."""
    scope = await _scope(desk)
    if isinstance(scope, Problem):
        return scope
    audit = _audit(desk, "Revoked", named)
    revoked = await desk.office.store.change_key(check_reference(named), scope, {"revoked_at": desk.office.now}, audit)
    return revoked or NOT_FOUND


async def check_unlimited(store: AdminStore, with_key: str | None) -> Problem | None:
    """Whoever makes keys: not by one that is limited itself. Refuses: forbidden."""
    mine = await store.find_key(with_key, KeyScope()) if with_key is not None else None
    if mine is None or (mine.limit_microdollars is None and mine.expires_at is None and not mine.model_allow_list):
        return None
    return Problem(Code.FORBIDDEN, "a limited key", shown=_LIMITED)


def _order(user_id: str, organization_id: str | None, entered: KeyChange) -> NewKey:
    return NewKey(
        user=user_id,
        organization=organization_id,
        label=entered.label or "",
        limit_microdollars=entered.limit_microdollars or (0 if entered.limit_microdollars == 0 else None),
        expires_at=entered.expires_at or None,
        model_allow_list=entered.model_allow_list or (),
    )


async def _change(desk: KeyDesk, named: str, values: Mapping[str, Any], what: str) -> ApiKey | Problem:
    scope = await _scope_to_change(desk)
    if isinstance(scope, Problem):
        return scope
    changed = await desk.office.store.change_key(check_reference(named), scope, values, _audit(desk, what, named))
    return changed or NOT_FOUND


def _checked(change: KeyChange, now: datetime) -> dict[str, Any] | Problem:
    values: dict[str, Any] = {}
    if change.label is not UNSET:
        values["label"] = check_text("label", change.label)
    limit = change.limit_microdollars
    if limit is not UNSET:
        values["limit_microdollars"] = None if limit is None else check_amount("limit", limit)
    if change.expires_at is not UNSET:
        if change.expires_at is not None and change.expires_at <= now:
            return bad("expires_at", "must be in the future")
        values["expires_at"] = change.expires_at
    if change.model_allow_list is not UNSET:
        values[MODELS] = check_list(MODELS, change.model_allow_list or ())
    return next((value for value in values.values() if isinstance(value, Problem)), values)


async def _scope_to_change(desk: KeyDesk) -> KeyScope | Problem:
    return await check_unlimited(desk.office.store, desk.with_key) or await _scope(desk)


async def _scope(desk: KeyDesk) -> KeyScope | Problem:
    actor, owner = desk.office.actor, desk.owner
    if owner is None:
        return KeyScope() if actor.may_all else KeyScope(user_id=actor.user_id)
    if owner.kind is not OwnerKind.ORGANIZATION:
        return KeyScope(user_id=owner.id, is_personal=True)
    role = await role_of(desk.office.store, actor, owner.id)
    if isinstance(role, Problem):
        return role
    return KeyScope(None if role in MANAGERS else actor.user_id, owner.id)


def _audit(desk: KeyDesk, what: str, key_id: str) -> AuditEntry | None:
    if desk.owner is None or desk.owner.kind is not OwnerKind.ORGANIZATION:
        return None
    return desk.office.audit(desk.owner.id, KEY, f"{what} API key {check_reference(key_id)}")
