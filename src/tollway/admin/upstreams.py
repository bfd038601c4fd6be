"""Custom upstreams: list, show, create, change, delete. Source: request-path 12.4, 12.10.

Whoever calls has made sure that the owner is theirs to speak for. Rows of others are as good as missing.
"""

from collections.abc import Awaitable, Callable, Container
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any, Final

from msgspec import UNSET

from tollway.admin.fields import bad, check_reference
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
    Actor,
    Addition,
    CustomUpstream,
    NewUpstream,
    SealedUpstream,
    UpstreamChange,
    UpstreamStore,
)
from tollway.errors import Code, Problem
from tollway.identity.authority import UrlRule
from tollway.identity.base_url import BaseUrl
from tollway.identity.outbound import OutboundRules
from tollway.identity.owned import Owner
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


def missing() -> Problem:
    return Problem(Code.NOT_FOUND, "no such custom upstream of this owner", shown=NOT_FOUND)


async def list_upstreams(store: UpstreamStore, owner: Owner) -> tuple[CustomUpstream, ...]:
    """Newest first."""
    return await store.list_upstreams(owner)


async def find_upstream(store: UpstreamStore, owner: Owner, named: str) -> SealedUpstream | Problem:
    """By id or provider id. Refuses: not_found."""
    found = await store.find_upstream(owner, reference) if (reference := check_reference(named)) else None
    return found or missing()


async def create_upstream(
    store: UpstreamStore,
    rules: UpstreamRules,
    sealer: Sealer,
    owner: Owner,
    order: NewUpstream,
    actor: Actor,
    now: datetime,
) -> CustomUpstream | Problem:
    """Refuses: bad_request (with the field), conflict (the owner has one of this name)."""
    change = await _check(UpstreamChange(**{one.name: getattr(order, one.name) for one in fields(order)}), rules)
    if isinstance(change, Problem):
        return change
    row = _new_row(owner, change, sealer, actor, now)
    added = await store.add_upstream(row, rules.per_owner_max, actor)
    if added is Addition.TAKEN:
        return Problem(Code.CONFLICT, TAKEN, shown=TAKEN)
    if added is Addition.FULL:
        return bad("provider_id", f"there may be at most {rules.per_owner_max} custom upstreams")
    return row.upstream


async def change_upstream(
    store: UpstreamStore,
    rules: UpstreamRules,
    sealer: Sealer,
    owner: Owner,
    upstream_id: str,
    change: UpstreamChange,
    actor: Actor,
    now: datetime,
) -> CustomUpstream | Problem:
    """Refuses: bad_request (with the field), not_found, conflict."""
    checked = await _check(change, rules)
    if isinstance(checked, Problem):
        return checked
    if checked == Checked():
        return Problem(Code.BAD_REQUEST, shown="name what is to be changed")
    result = await store.change_upstream(owner, upstream_id, lambda row: changed(row, checked, sealer, now), actor)
    return missing() if result is None else result


async def delete_upstream(store: UpstreamStore, owner: Owner, upstream_id: str, actor: Actor) -> Problem | None:
    """Refuses: not_found."""
    return None if await store.remove_upstream(owner, upstream_id, actor) else missing()


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


def _new_row(owner: Owner, order: Checked, sealer: Sealer, actor: Actor, now: datetime) -> SealedUpstream:
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
        created_at=now,
        updated_at=now,
        created_by=actor.id,
    )
    made = changed(SealedUpstream(empty, None, None), order, sealer, now)
    assert isinstance(made, SealedUpstream), "it has a key"
    return made
