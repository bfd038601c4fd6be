"""Members of an organization: their roles, what they may spend a day, and their end. Who acts must outrank.

A member is named by id or e-mail address, and looked for among the members alone. Source: catalog-and-clients E.6.
"""

from dataclasses import dataclass, replace
from typing import Final

from msgspec import UNSET, UnsetType

from tollway.admin import organizations
from tollway.admin.fields import DAILY_LIMIT_MICRODOLLARS_MAX, check_amount, check_reference
from tollway.admin.office import MEMBER_ADD, MEMBER_LIMIT, MEMBER_REMOVE, MEMBER_ROLE, Office
from tollway.admin.organizations import find_organization
from tollway.admin.ownership import MANAGERS, NO_ROLE, role_of
from tollway.admin.records import AuditEntry, Member
from tollway.admin.roles import may_touch
from tollway.admin.service_accounts import NOT_REMOVED, check_role
from tollway.admin.store import Removal
from tollway.errors import Code, Problem
from tollway.identity.caller import Role
from tollway.ids import new_id
from tollway.money import format_usd

NOT_A_MEMBER: Final = "User is not a member of this organization"


@dataclass(frozen=True, slots=True)
class MemberChange:
    """What is UNSET stays. A limit of None lifts it."""

    role: Role | UnsetType = UNSET
    daily_limit_microdollars: int | UnsetType | None = UNSET


async def add_member(office: Office, organization: str, user: str, role: Role) -> Member | Problem:
    """Without asking them. Refuses: not_found, conflict (a member already), forbidden (a service account that owns)."""

    def audit(member: Member) -> AuditEntry:
        return office.audit(member.organization_id, MEMBER_ADD, f"Added {member.email} as {member.role}")

    return await organizations.add_member(office.store, organization, user, role, office.now, audit)


async def change_member(office: Office, organization: str, named: str, change: MemberChange) -> Member | Problem:
    """Refuses: bad_request, not_found, forbidden (own role, a role not below), conflict (the last owner)."""
    limit = change.daily_limit_microdollars
    checked = (
        None if limit is None or limit is UNSET else check_amount("limit", limit, most=DAILY_LIMIT_MICRODOLLARS_MAX)
    )
    if isinstance(checked, Problem):
        return checked
    if change == MemberChange():
        return Problem(Code.BAD_REQUEST, shown="name what is to be changed")
    member = await find_member(office, organization, named)
    if isinstance(member, Problem):
        return member
    if change.role is not UNSET and change.role is not member.role:
        refused = await _change_role(office, member, change.role)
        if refused is not None:
            return refused
        member = replace(member, role=change.role)
    if limit is not UNSET and limit != member.daily_limit_microdollars:
        after = replace(member, daily_limit_microdollars=limit)
        message = f"Changed daily limit for user {member.email} from {_limit(member)} to {_limit(after)}"
        audit = office.audit(member.organization_id, MEMBER_LIMIT, message)
        await office.store.set_daily_limit(after, new_id(), audit)
        return after
    return member


async def set_daily_limit(office: Office, organization: str, named: str, limit: int | None) -> Member | Problem:
    """What the member may spend per UTC day; None lifts it. Refuses as `change_member`."""
    return await change_member(office, organization, named, MemberChange(daily_limit_microdollars=limit))


async def remove_member(office: Office, organization: str, named: str) -> Problem | None:
    """Membership and daily limit end.

    Refuses: not_found, forbidden (oneself, a role not below, a service account, whoever asks), conflict.
    """
    member = await find_member(office, organization, named)
    if isinstance(member, Problem):
        return member
    if member.user_id == office.actor.user_id and not office.actor.may_all:
        return Problem(Code.FORBIDDEN, shown="You cannot remove yourself from the organization")
    if member.is_bot:
        return NOT_REMOVED
    audit = office.audit(member.organization_id, MEMBER_REMOVE, f"Removed user {member.email}")
    return _refusal(await office.store.remove_member(member.organization_id, member.user_id, member.role, audit))


async def find_member(office: Office, organization: str, named: str) -> Member | Problem:
    """For somebody who may touch it. Refuses: not_found, forbidden."""
    found = await find_organization(office.store, organization)
    if isinstance(found, Problem):
        return found
    mine = await role_of(office.store, office.actor, found.id)
    if isinstance(mine, Problem):
        return mine
    if mine not in MANAGERS:
        return Problem(Code.FORBIDDEN, f"a {mine}", shown=NO_ROLE)
    wanted = check_reference(named)
    for member in await office.store.list_members(found.id):
        if wanted and (wanted == member.user_id or wanted.lower() == member.email):
            if member.user_id == office.actor.user_id or may_touch(mine, member.role):
                return member
            return Problem(Code.FORBIDDEN, f"a {mine} touches an {member.role}", shown=NO_ROLE)
    return Problem(Code.NOT_FOUND, f"{named!r} is not a member of {found.name!r}", shown=NOT_A_MEMBER)


async def _change_role(office: Office, member: Member, role: Role) -> Problem | None:
    if member.user_id == office.actor.user_id:
        return Problem(Code.FORBIDDEN, shown="You cannot change your own role")
    mine = await role_of(office.store, office.actor, member.organization_id)
    if isinstance(mine, Problem):
        return mine
    if not may_touch(mine, role):
        return Problem(Code.FORBIDDEN, f"a {mine} grants {role}", shown=NO_ROLE)
    refused = check_role(member.is_bot, role)
    if refused is not None:
        return refused
    message = f"Changed role for user {member.email} from {member.role} to {role}"
    audit = office.audit(member.organization_id, MEMBER_ROLE, message)
    return _refusal(await office.store.change_role(member, role, office.now, audit))


def _refusal(removal: Removal) -> Problem | None:
    match removal:
        case Removal.DONE:
            return None
        case Removal.NO_MEMBER:
            return Problem(Code.NOT_FOUND, shown=NOT_A_MEMBER)
        case Removal.LAST_OWNER:
            return Problem(Code.CONFLICT, shown="An organization needs at least one owner")
        case Removal.CHANGED:
            return Problem(Code.CONFLICT, shown="Somebody else changed this member just now")


def _limit(member: Member) -> str:
    limit = member.daily_limit_microdollars
    return "unlimited" if limit is None else format_usd(limit)
