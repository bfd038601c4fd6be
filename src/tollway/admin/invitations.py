"""Invitations: ask somebody by e-mail address to become a member; they accept it once, within seven days.

The token is told once, to whoever invites; stored is only a keyed hash of it. Source: catalog-and-clients E.6.
"""

from dataclasses import dataclass, field
from datetime import timedelta
from hmac import digest
from typing import Final

from tollway.admin.fields import check_email, check_page, check_reference
from tollway.admin.office import ACCEPT_INVITE, INVITE, REVOKE_INVITE, Office
from tollway.admin.ownership import NO_ROLE, check_access, role_of
from tollway.admin.records import AuditEntry, Invitation, Member, Page
from tollway.admin.roles import may_touch
from tollway.admin.service_accounts import NOT_INVITED
from tollway.admin.store import Inviting
from tollway.errors import Code, Problem
from tollway.identity.caller import Role
from tollway.identity.owned import Owner, OwnerKind
from tollway.ids import new_id, random_text

LIFE: Final = timedelta(days=7)
TOKEN_CHARS: Final = 40
NOT_FOUND: Final = Problem(Code.NOT_FOUND, shown="Invitation not found")
_CONFLICTS: Final = {
    Inviting.PENDING: "This email already has a pending invitation",
    Inviting.MEMBER: "This user is already a member of this organization",
}


@dataclass(frozen=True, slots=True)
class Invited:
    """`token` is in no store and cannot be shown again."""

    invitation: Invitation
    token: str = field(repr=False)


async def invite(office: Office, organization_id: str, email: str, role: Role, pepper: bytes) -> Invited | Problem:
    """Refuses: bad_request, forbidden (a role not below), conflict (asked already, a member already)."""
    mine = await _manager(office, organization_id)
    if isinstance(mine, Problem):
        return mine
    if not may_touch(mine, role):
        return Problem(Code.FORBIDDEN, f"a {mine} invites {role}", shown=NO_ROLE)
    address = check_email(email)
    if isinstance(address, Problem):
        return address
    invited_by, now = office.actor.user_id, office.now
    invitation = Invitation(new_id(), organization_id, address, role, invited_by, now, now + LIFE, None)
    token = random_text(TOKEN_CHARS)
    audit = office.audit(organization_id, INVITE, f"Invited {address} as {role}")
    done = await office.store.add_invitation(invitation, _hash(token, pepper), audit)
    if done is not Inviting.DONE:
        return Problem(Code.CONFLICT, shown=_CONFLICTS[done])
    return Invited(invitation, token)


async def list_invitations(office: Office, organization_id: str, page: Page) -> tuple[Invitation, ...] | Problem:
    """Newest first, those that are over among them. Refuses: bad_request, forbidden."""
    mine, checked = await _manager(office, organization_id), check_page(page)
    if isinstance(mine, Problem):
        return mine
    return checked if isinstance(checked, Problem) else await office.store.list_invitations(organization_id, checked)


async def revoke_invitation(office: Office, organization_id: str, named: str) -> Invitation | Problem:
    """Refuses: forbidden, not_found (none, or none that is pending)."""
    mine = await _manager(office, organization_id)
    if isinstance(mine, Problem):
        return mine

    def audit(found: Invitation) -> AuditEntry:
        return office.audit(organization_id, REVOKE_INVITE, f"Revoked invitation for {found.email}")

    wanted = check_reference(named)
    return await office.store.revoke_invitation(organization_id, wanted, office.now, audit) or NOT_FOUND


async def accept_invitation(office: Office, token: str, pepper: bytes) -> Member | Problem:
    """By the user whose address was invited, once. Refuses: not_found, forbidden (a service account)."""
    user = await office.store.find_user(str(office.actor.user_id))
    if user is None:
        return NOT_FOUND
    if user.is_bot:
        return NOT_INVITED

    def audit(found: Invitation) -> AuditEntry:
        return office.audit(found.organization_id, ACCEPT_INVITE, f"{found.email} accepted as {found.role}")

    accepted = await office.store.accept_invitation(_hash(token, pepper), user, new_id(), office.now, audit)
    return accepted or NOT_FOUND


async def _manager(office: Office, organization_id: str) -> Role | Problem:
    owner = Owner(OwnerKind.ORGANIZATION, organization_id)
    refused = await check_access(office.store, office.actor, owner, to_change=True)
    return refused or await role_of(office.store, office.actor, organization_id)


def _hash(token: str, pepper: bytes) -> str:
    return digest(pepper, f"invitation:{token}".encode(), "sha256").hex()
