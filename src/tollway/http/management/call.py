"""One management request, once it is known who calls, for whom, and as whom.

The owner is the organization that the path names, or the query (`organizationId`), or that the key is bound to; else
the user. A key that is bound to an organization is good for nothing else. Roles and whether somebody is an
administrator are read from the database each time (guarantees A3).
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any, Final

from fastapi import Depends, Request

from tollway.admin.answers import Answers
from tollway.admin.custom_llms import LlmDesk
from tollway.admin.device_logins import DeviceLogins
from tollway.admin.office import Office
from tollway.admin.own_key_probes import KeyProbes
from tollway.admin.own_keys import Desk
from tollway.admin.ownership import NO_ACCESS, NO_ROLE, Actor, check_access
from tollway.admin.records import Organization
from tollway.admin.store import AdminStore
from tollway.admin.usage import UsageStore
from tollway.billing.ledger import BudgetRef
from tollway.billing.notices import TopUpRules
from tollway.catalog.preset import SubscriptionRules
from tollway.errors import Code, Problem
from tollway.http.callers import BAD_ORGANIZATION, NO_ORGANIZATION, Callers, Denied
from tollway.http.custom_upstreams import UpstreamServices
from tollway.http.explained import Explain
from tollway.identity.caller import Caller
from tollway.identity.kept_text import TextPermissions
from tollway.identity.owned import Owner, OwnerKind
from tollway.ids import is_uuid

ORGANIZATION: Final = "organizationId"


class Access(StrEnum):
    """Who may call a route; the text is what the documentation says."""

    ANYONE = "anyone"
    SIGNED_IN = "a key or token"
    LOOK = "members; without an organization the user"
    CHANGE = "owners and billing managers; without an organization the user"
    ADMINISTRATOR = "administrators"


@dataclass(frozen=True, slots=True)
class ManagementServices:
    """`own_keys(actor)`, `custom_llms(actor)`: these use cases on behalf of one caller. `upstreams` None: turned off.

    `key_probes`: what own keys are tried with. `spent(budget)`: micro-dollars so far. `address_of(request)`: the
    client's address, "" when it is not known.
    `text_permissions`: whose text the operator permits to be kept.
    `subscriptions`, `top_ups`: what preset and settings say of them.
    """

    callers: Callers
    store: AdminStore
    usage: UsageStore
    answers: Answers
    device_logins: DeviceLogins
    explain: Explain
    spent: Callable[[BudgetRef], Awaitable[int]]
    own_keys: Callable[[Actor], Desk]
    key_probes: KeyProbes
    custom_llms: Callable[[Actor], LlmDesk]
    upstreams: UpstreamServices | None
    subscriptions: SubscriptionRules
    top_ups: TopUpRules
    pepper: bytes
    app_url: str
    text_permissions: TextPermissions
    body_bytes_max: int
    address_of: Callable[[Request], str]
    now: Callable[[], datetime]


@dataclass(frozen=True, slots=True)
class Call:
    caller: Caller
    actor: Actor
    owner: Owner
    organization: Organization | None
    services: ManagementServices
    now: datetime

    @property
    def office(self) -> Office:
        return Office(self.services.store, self.actor, self.now)

    @property
    def found(self) -> Organization:
        """Of routes whose path names an organization."""
        assert self.organization is not None
        return self.organization


def _call_of(request: Request) -> Any:
    return request.state.call


Current = Annotated[Call, Depends(_call_of)]


async def admit(services: ManagementServices, request: Request, access: Access) -> Call | Problem:
    """Refuses: authentication_required, rate_limited (failed logins), bad_request, not_found, forbidden."""
    caller = await services.callers.identify(request)
    if isinstance(caller, Denied):
        return caller.problem or Problem(Code.AUTHENTICATION_REQUIRED)
    user = await services.store.find_user(caller.user_id)
    is_bound = caller.organization_id is not None
    actor = Actor(caller.user_id, user is not None and user.is_admin and not is_bound)
    named = request.path_params.get("organization_id") or request.query_params.get(ORGANIZATION)
    found = await _organization(services.store, caller, named)
    if isinstance(found, Problem):
        return found
    owner = Owner(OwnerKind.ORGANIZATION, found.id) if found else Owner(OwnerKind.USER, caller.user_id)
    if access is Access.ADMINISTRATOR and not actor.is_admin:
        return Problem(Code.FORBIDDEN, "no administrator", shown=NO_ROLE)
    if access is not Access.SIGNED_IN:
        refused = await check_access(services.store, actor, owner, to_change=access is Access.CHANGE)
        if refused is not None:
            return refused
    return Call(caller, actor, owner, found, services, services.now())


async def _organization(store: AdminStore, caller: Caller, named: str | None) -> Organization | Problem | None:
    wanted = named or caller.organization_id
    if not wanted:
        return None
    if not is_uuid(wanted):
        return Problem(Code.BAD_REQUEST, shown=BAD_ORGANIZATION)
    if caller.organization_id not in (None, wanted.lower()):
        return Problem(Code.FORBIDDEN, "the key is bound", shown=NO_ACCESS)
    for one in await store.find_organizations(wanted.lower()):
        if one.id == wanted.lower():
            return one
    return Problem(Code.NOT_FOUND, shown=NO_ORGANIZATION)
