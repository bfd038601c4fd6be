"""Organizations and their members."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime

from tollway.admin.fields import (
    bad,
    check_page,
    check_reference,
    check_text,
    missing,
)
from tollway.admin.records import AuditEntry, Member, Organization, OrganizationChange, Page, User
from tollway.admin.restrictions import check_settings
from tollway.admin.service_accounts import check_role
from tollway.admin.store import AdminStore, AuditOf, OrganizationStore
from tollway.admin.users import show_user
from tollway.errors import Code, Problem
from tollway.identity.caller import Role
from tollway.identity.organization import PLANS, TEAMS
from tollway.ids import new_id


@dataclass(frozen=True, slots=True)
class NewOrganization:
    name: str
    plan: str = TEAMS


@dataclass(frozen=True, slots=True)
class OrganizationDetails:
    organization: Organization
    members: tuple[Member, ...]


async def create_organization(
    store: OrganizationStore, order: NewOrganization, now: datetime
) -> Organization | Problem:
    """Refuses: bad_request."""
    name = check_text("name", order.name, least=1)
    if isinstance(name, Problem):
        return name
    if order.plan not in PLANS:
        return bad("plan", f"must be one of {', '.join(PLANS)}")
    organization = Organization(new_id(), name, order.plan, now)
    await store.add_organization(organization)
    return organization


async def find_organization(store: OrganizationStore, id_or_name: str) -> Organization | Problem:
    """Refuses: not_found, conflict (several have this name)."""
    found = await store.find_organizations(named) if (named := check_reference(id_or_name)) else ()
    if not found:
        return missing("organization", id_or_name)
    if len(found) > 1:
        return Problem(Code.CONFLICT, f"{len(found)} organizations are named {id_or_name!r}: use the id")
    return found[0]


async def show_organization(store: AdminStore, id_or_name: str) -> OrganizationDetails | Problem:
    organization = await find_organization(store, id_or_name)
    if isinstance(organization, Problem):
        return organization
    return OrganizationDetails(organization, await store.list_members(organization.id))


async def list_organizations(store: OrganizationStore, page: Page) -> tuple[Organization, ...] | Problem:
    checked = check_page(page)
    return checked if isinstance(checked, Problem) else await store.list_organizations(checked)


async def change_organization(
    store: OrganizationStore,
    id_or_name: str,
    change: OrganizationChange,
    now: datetime,
    audit: AuditOf | None = None,
) -> Organization | Problem:
    """Name, plan, seats and settings; only what is named changes. Refuses: bad_request, not_found."""
    if change == OrganizationChange():
        return Problem(Code.BAD_REQUEST, shown="name what is to be changed")
    if change.name is not None:
        name = check_text("name", change.name, least=1)
        if isinstance(name, Problem):
            return name
        change = replace(change, name=name)
    if change.plan is not None and change.plan not in PLANS:
        return bad("plan", f"must be one of {', '.join(PLANS)}")
    settings = check_settings(change.settings)
    if isinstance(settings, Problem):
        return settings
    found = await find_organization(store, id_or_name)
    if isinstance(found, Problem):
        return found
    changed = await store.change_organization(found.id, replace(change, settings=settings), now, audit)
    return changed or missing("organization", id_or_name)


async def add_member(
    store: AdminStore,
    id_or_name: str,
    id_or_email: str,
    role: Role,
    now: datetime,
    audit: Callable[[Member], AuditEntry] | None = None,
) -> Member | Problem:
    """Refuses: not_found, conflict (a member already), forbidden (a service account as an owner)."""
    found = await _find_both(store, id_or_name, id_or_email)
    if isinstance(found, Problem):
        return found
    organization, user = found
    refused = check_role(user.is_bot, role)
    if refused is not None:
        return refused
    member = Member(organization.id, user.id, user.email, role, None, user.is_bot)
    if not await store.add_member(member, new_id(), now, audit(member) if audit else None):
        return Problem(Code.CONFLICT, f"{user.email!r} is already a member of {organization.name!r}")
    return member


async def _find_both(store: AdminStore, id_or_name: str, id_or_email: str) -> tuple[Organization, User] | Problem:
    organization = await find_organization(store, id_or_name)
    if isinstance(organization, Problem):
        return organization
    user = await show_user(store, id_or_email)
    return user if isinstance(user, Problem) else (organization, user)
