"""Custom upstreams: list, show, create, change, delete. Source: request-path 12.4, 12.10.

Rows of other owners are as good as missing. No answer has a secret in it.
"""

from collections.abc import Awaitable, Callable, Container
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any, Final

from msgspec import UNSET

from tollway.admin.fields import bad, check_reference
from tollway.admin.office import SETTINGS_CHANGE
from tollway.admin.ownership import Actor, check_access
from tollway.admin.records import AuditEntry
from tollway.admin.store import AdminStore
from tollway.admin.upstream_changes import Checked, Sealer, changed
from tollway.admin.upstream_fields import (
    check_address,
    check_display_name,
    check_flag,
    check_headers,
    check_key,
    check_metadata,
    check_provider_id,
)
from tollway.admin.upstream_records import (
    Addition,
    CustomUpstream,
    Decided,
    NewUpstream,
    SealedUpstream,
    UpstreamChange,
)
from tollway.errors import Code, Problem
from tollway.identity.authority import UrlRule
from tollway.identity.base_url import BaseUrl
from tollway.identity.outbound import OutboundRules
from tollway.identity.owned import Owner, OwnerKind
from tollway.ids import new_id

NOT_FOUND: Final = "Custom upstream not found"
TAKEN: Final = "A custom upstream with this provider_id already exists"


@dataclass(frozen=True, slots=True)
class UpstreamRules:
    """What the operator decides about custom upstreams. `reserved`: provider ids that nobody may have.

    `leads_inside(host, port)`: whether the name resolves to what may not be called, or to nothing.
    """

    outbound: OutboundRules
    reserved: Container[str]
    per_owner_max: int
    leads_inside: Callable[[str, int], Awaitable[bool]]


@dataclass(frozen=True, slots=True)
class UpstreamDesk:
    """What the use cases work with."""

    store: AdminStore
    rules: UpstreamRules
    sealer: Sealer
    actor: Actor
    now: datetime


async def list_upstreams(desk: UpstreamDesk, owner: Owner) -> tuple[CustomUpstream, ...] | Problem:
    """Newest first. Refuses: forbidden."""
    refused = await check_access(desk.store, desk.actor, owner, to_change=False)
    return refused or await desk.store.list_upstreams(owner)


async def find_upstream(
    desk: UpstreamDesk, owner: Owner, named: str, *, to_change: bool = True
) -> SealedUpstream | Problem:
    """One of the owner's, by id or provider id. Refuses: forbidden, not_found."""
    refused = await check_access(desk.store, desk.actor, owner, to_change=to_change)
    if refused is not None:
        return refused
    found = await desk.store.find_upstream(owner, reference) if (reference := check_reference(named)) else None
    return found or _missing(named)


async def create_upstream(desk: UpstreamDesk, owner: Owner, order: NewUpstream) -> CustomUpstream | Problem:
    """Refuses: forbidden, bad_request (with the field), conflict (the owner has one of this name)."""
    refused = await check_access(desk.store, desk.actor, owner, to_change=True)
    if refused is not None:
        return refused
    entered = {one.name: getattr(order, one.name) for one in fields(order)}
    change = await _check(UpstreamChange(**entered), desk.rules)
    if isinstance(change, Problem):
        return change
    row, most = _new_row(desk, owner, change), desk.rules.per_owner_max
    added = await desk.store.add_upstream(row, most, _audit(desk, owner, "Added", row.upstream.provider_id))
    if added is Addition.TAKEN:
        return Problem(Code.CONFLICT, TAKEN, shown=TAKEN)
    if added is Addition.FULL:
        return bad("provider_id", f"there may be at most {most} custom upstreams")
    return row.upstream


async def change_upstream(
    desk: UpstreamDesk, owner: Owner, named: str, change: UpstreamChange
) -> CustomUpstream | Problem:
    """Refuses: forbidden, not_found, bad_request (with the field), conflict."""
    found = await find_upstream(desk, owner, named)
    if isinstance(found, Problem):
        return found
    checked = await _check(change, desk.rules)
    if isinstance(checked, Problem):
        return checked
    if checked == Checked():
        return Problem(Code.BAD_REQUEST, shown="name what is to be changed")
    audit = _audit(desk, owner, _what(checked), found.upstream.provider_id)

    def decide(row: SealedUpstream) -> Decided | Problem:
        after = changed(row, checked, desk.sealer, desk.now)
        return after if isinstance(after, Problem) else (after, audit)

    result = await desk.store.change_upstream(owner, found.upstream.id, decide)
    return _missing(named) if result is None else result


async def delete_upstream(desk: UpstreamDesk, owner: Owner, named: str) -> CustomUpstream | Problem:
    """It is gone for good. Refuses: forbidden, not_found."""
    found = await find_upstream(desk, owner, named)
    if isinstance(found, Problem):
        return found
    audit = _audit(desk, owner, "Deleted", found.upstream.provider_id)
    removed = await desk.store.remove_upstream(owner, found.upstream.id, audit)
    return found.upstream if removed else _missing(named)


async def check_place(value: object, rules: UpstreamRules) -> BaseUrl | Problem:
    """An address that may be called, as far as can be told now; it is looked at again at every connection."""
    address = check_address(value, rules.outbound)
    if isinstance(address, BaseUrl) and await rules.leads_inside(address.host, address.port):
        return bad("base_url", UrlRule.NOT_PUBLIC.value)
    return address


async def _check(change: UpstreamChange, rules: UpstreamRules) -> Checked | Problem:
    checks: dict[str, Callable[[object], Any]] = {
        "provider_id": lambda value: check_provider_id(value, rules.reserved),
        "display_name": check_display_name,
        "api_key": check_key,
        "extra_headers": check_headers,
        "model_metadata": check_metadata,
        "is_enabled": lambda value: check_flag("is_enabled", value),
    }
    checked: dict[str, Any] = {}
    for name, check in checks.items():
        if getattr(change, name) is not UNSET:
            checked[name] = check(getattr(change, name))
    if change.base_url is not UNSET:
        checked["base_url"] = await check_place(change.base_url, rules)
    problems = (value for value in checked.values() if isinstance(value, Problem))
    return next(problems, None) or Checked(**checked)


def _new_row(desk: UpstreamDesk, owner: Owner, order: Checked) -> SealedUpstream:
    """As a change of an empty row: what is stored is made in one place."""
    assert order.base_url is not UNSET
    assert order.provider_id is not UNSET
    empty = CustomUpstream(
        id=new_id(),
        owner=owner,
        provider_id=order.provider_id,
        display_name="",
        base_url=order.base_url.text,
        model_metadata={},
        is_enabled=True,
        has_key=False,
        last_four="",
        header_names=(),
        created_at=desk.now,
        updated_at=desk.now,
        created_by=desk.actor.name,
    )
    made = changed(SealedUpstream(empty, None, None), order, desk.sealer, desk.now)
    assert isinstance(made, SealedUpstream), "it has a key"
    return made


def _what(change: Checked) -> str:
    """In the words of the audit log."""
    if change == Checked(is_enabled=change.is_enabled):
        return "Enabled" if change.is_enabled else "Disabled"
    return "Updated"


def _audit(desk: UpstreamDesk, owner: Owner, what: str, provider_id: str) -> AuditEntry | None:
    """Of organizations alone."""
    if owner.kind is not OwnerKind.ORGANIZATION:
        return None
    message = f"{what} custom upstream: {provider_id}"
    return AuditEntry(new_id(), owner.id, desk.actor.name, SETTINGS_CHANGE, message, desk.now)


def _missing(named: str) -> Problem:
    return Problem(Code.NOT_FOUND, f"there is no custom upstream {named!r}", shown=NOT_FOUND)
