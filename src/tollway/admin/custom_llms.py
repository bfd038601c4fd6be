"""Custom LLMs: models that the operator has at a vendor, and which organizations are given them.

Operators and administrators alone manage them. A key goes in and never comes out again: what is shown of it are its
last four characters, if it is long enough; and it stays with its address. Every change is told in the audit log of each
organization that has the model. Source: catalog-and-clients E.5; request-path 8.3; guarantees K1, K3.
"""

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cache
from typing import Final, TypeAlias

from tollway.admin.fields import bad, check_page, check_reference, missing
from tollway.admin.llm_fields import check_llm, check_llm_key, check_public_id, is_elsewhere
from tollway.admin.llm_records import CustomLlm, LlmChange, LlmFields
from tollway.admin.office import SETTINGS_CHANGE
from tollway.admin.organizations import find_organization
from tollway.admin.ownership import OPERATOR, Actor
from tollway.admin.records import AuditEntry, Page
from tollway.admin.store import AdminStore
from tollway.admin.upstream_changes import Sealer
from tollway.errors import Code, Problem
from tollway.identity.owned import llm_place
from tollway.identity.sealing import Sealed
from tollway.ids import new_id
from tollway.providers.own_keys import OwnKey, last_four

_NO_MODEL: Final = "custom LLM"
_NOT_FOUND: Final = "Custom LLM not found"
_ENTER_AGAIN: Final = bad("api_key", "must be entered again for another scheme, host or port")
_UNREADABLE: Final = Problem(Code.CONFLICT, "the key does not open", shown="Its key must be entered again first")

_Audit: TypeAlias = Callable[[str, str], AuditEntry]
_Content: TypeAlias = tuple[LlmFields, str, Sealed]  # what may be shown of the key between them


@dataclass(frozen=True, slots=True)
class LlmDesk:
    """What the use cases work with. `prefix`: what the ids of custom LLMs begin with. `guard` refuses addresses that
    may not be called, and what it has let pass is looked at again before every connection, because a name may lead
    elsewhere by then; None: the operator may name any."""

    store: AdminStore
    prefix: str
    sealer: Sealer
    now: datetime
    actor: Actor = OPERATOR
    guard: Callable[[str], Awaitable[Problem | None]] | None = None


async def list_llms(store: AdminStore, page: Page) -> tuple[CustomLlm, ...] | Problem:
    """Newest first. Refuses: bad_request."""
    checked = check_page(page)
    return checked if isinstance(checked, Problem) else await store.list_llms(checked)


async def find_llm(store: AdminStore, named: str) -> CustomLlm | Problem:
    """Refuses: not_found."""
    return await store.find_llm(check_reference(named).lower()) or _missing(named)


async def add_llm(
    desk: LlmDesk, public_id: str, fields: LlmFields, key: str, organizations: Iterable[str] = ()
) -> CustomLlm | Problem:
    """`organizations`: the ids of those that are given it now. Refuses: bad_request, conflict (there is one of that
    id)."""
    checked, secret = check_llm(fields), check_llm_key(key)
    if isinstance(checked, Problem):
        return checked
    refused = await desk.guard(checked.base_url) if desk.guard else None
    if refused is not None:
        return refused
    if isinstance(secret, Problem):
        return secret

    def make(id_: str) -> _Content:
        return checked, last_four(OwnKey("", secret)), desk.sealer.seal(secret, llm_place(id_))

    return await _add(desk, public_id, organizations, make, is_guarded=desk.guard is not None)


async def copy_llm(
    desk: LlmDesk, named: str, public_id: str, name: str | None = None, organizations: Iterable[str] = ()
) -> CustomLlm | Problem:
    """Another of that kind, with the same address and key; it is given to `organizations` alone. `name` None: the same.

    Refuses: bad_request, not_found, conflict (there is one of that id; the key does not open).
    """
    found = await find_llm(desk.store, named)
    if isinstance(found, Problem):
        return found
    fields = check_llm(found.fields if name is None else replace(found.fields, display_name=name))
    if isinstance(fields, Problem):
        return fields
    stored = await desk.store.find_llm_key(found.public_id)

    def make(id_: str) -> _Content | Problem:
        sealed = desk.sealer.moved(stored, llm_place(found.public_id), llm_place(id_))
        return _UNREADABLE if sealed is None else (fields, found.last_four, sealed)

    return await _add(desk, public_id, organizations, make, is_guarded=found.is_guarded)


async def change_llm(
    desk: LlmDesk,
    named: str,
    change: Callable[[LlmFields], LlmFields],
    key: str | None = None,
    organizations: Iterable[str] | None = None,
) -> CustomLlm | Problem:
    """`change` makes the new fields of those that are stored; `key` None: it keeps its own, which does not go with it
    to another address; `organizations` None: it stays with those that have it.

    Refuses: bad_request, not_found.
    """
    found = await find_llm(desk.store, named)
    if isinstance(found, Problem):
        return found
    secret = None if key is None else check_llm_key(key)
    given = None if organizations is None else await _organizations(desk, organizations)
    fields = check_llm(change(found.fields))
    if isinstance(fields, Problem):
        return fields
    if isinstance(secret, Problem):
        return secret
    if isinstance(given, Problem):
        return given
    if is_elsewhere(found.fields, fields) and desk.guard:
        refused = await desk.guard(fields.base_url)
        if refused is not None:
            return refused
    sealed = None if secret is None else desk.sealer.seal(secret, llm_place(found.public_id))
    audit = _audits(desk, found.public_id)

    def decide(row: CustomLlm) -> LlmChange | Problem:
        fields = check_llm(change(row.fields))
        if isinstance(fields, Problem):
            return fields
        is_moved = is_elsewhere(row.fields, fields)
        if secret is None and is_moved:
            return _ENTER_AGAIN
        ending = row.last_four if secret is None else last_four(OwnKey("", secret))
        is_guarded = desk.guard is not None if is_moved else row.is_guarded
        after = replace(row, fields=fields, last_four=ending, updated_at=desk.now, is_guarded=is_guarded)
        if given is not None:
            after = replace(after, organizations=given)
        return LlmChange(after, sealed, _told(row, after, sealed is not None, audit))

    changed = await desk.store.change_llm(found.public_id, decide)
    return _missing(named) if changed is None else changed


async def remove_llm(desk: LlmDesk, named: str) -> CustomLlm | Problem:
    """For good, and from every organization. Refuses: not_found."""
    found = await find_llm(desk.store, named)
    if isinstance(found, Problem):
        return found
    audit = _audits(desk, found.public_id)
    return await desk.store.remove_llm(found.public_id, lambda id_: audit(id_, "Removed")) or _missing(named)


async def assign_llm(desk: LlmDesk, named: str, organization: str, *, assigned: bool = True) -> CustomLlm | Problem:
    """Give it to an organization (by id or name), or take it back. Twice is as once.

    Refuses: not_found, conflict (several organizations have that name).
    """
    found = await find_llm(desk.store, named)
    if isinstance(found, Problem):
        return found
    whose = await find_organization(desk.store, organization)
    if isinstance(whose, Problem):
        return whose
    if (whose.id in found.organizations) != assigned:
        audit = _audits(desk, found.public_id)(whose.id, "Assigned" if assigned else "Unassigned")
        await desk.store.assign_llm(found.public_id, whose.id, assigned, audit)
    return await find_llm(desk.store, found.public_id)


async def _add(
    desk: LlmDesk,
    public_id: str,
    organizations: Iterable[str],
    make: Callable[[str], _Content | Problem],
    *,
    is_guarded: bool,
) -> CustomLlm | Problem:
    id_, given = check_public_id(desk.prefix, public_id), await _organizations(desk, organizations)
    if isinstance(id_, Problem):
        return id_
    if isinstance(given, Problem):
        return given
    made = make(id_)
    if isinstance(made, Problem):
        return made
    fields, ending, sealed = made
    row, audit = CustomLlm(id_, fields, ending, given, desk.now, desk.now, is_guarded), _audits(desk, id_)
    if not await desk.store.add_llm(row, sealed, tuple(audit(one, "Assigned") for one in given)):
        return Problem(Code.CONFLICT, f"there is a custom LLM {id_!r} already", shown=f"there is {id_} already")
    return row


async def _organizations(desk: LlmDesk, ids: Iterable[str]) -> tuple[str, ...] | Problem:
    """By id alone, each once."""
    wanted = sorted({check_reference(id_).lower() for id_ in ids})
    for id_ in wanted:
        if id_ not in [one.id for one in await desk.store.find_organizations(id_)]:
            return bad("organization_ids", "must be ids of organizations that there are")
    return tuple(wanted)


def _told(before: CustomLlm, after: CustomLlm, with_key: bool, audit: _Audit) -> tuple[AuditEntry, ...]:
    """One entry for each organization that gains it, loses it, or keeps it while it changes."""
    old, new = set(before.organizations), set(after.organizations)
    stays = old & new if with_key or before.fields != after.fields else set()
    words = ((new - old, "Assigned"), (old - new, "Unassigned"), (stays, "Updated"))
    return tuple(audit(id_, what) for ids, what in words for id_ in sorted(ids))


def _audits(desk: LlmDesk, public_id: str) -> _Audit:
    """Entries by organization and what was done; each has one id, however often the transaction is run."""

    @cache
    def audit(organization_id: str, what: str) -> AuditEntry:
        message = f"{what} custom LLM: {public_id}"
        return AuditEntry(new_id(), organization_id, desk.actor.name, SETTINGS_CHANGE, message, desk.now)

    return audit


def _missing(named: str) -> Problem:
    return replace(missing(_NO_MODEL, named), shown=_NOT_FOUND)
