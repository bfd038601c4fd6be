"""Whose something is, and who may change it. Source: request-path 8.2.3, 8.2.11; guarantees A3."""

from dataclasses import dataclass
from typing import Final

from tollway.admin.organizations import find_organization
from tollway.admin.store import AdminStore
from tollway.admin.users import show_user
from tollway.errors import Code, Problem
from tollway.identity.caller import Role
from tollway.identity.owned import Owner, OwnerKind

MANAGERS: Final = frozenset({Role.OWNER, Role.BILLING_MANAGER})
NO_ACCESS: Final = "You do not have access to this organization"
NO_ROLE: Final = "You do not have the required organizational role to access this feature"
_NO_MEMBER: Final = Problem(Code.FORBIDDEN, "no member", shown=NO_ACCESS)


@dataclass(frozen=True, slots=True)
class Actor:
    """Who does it. `user_id` None: the operator, who may do everything. So may users with `is_admin`."""

    user_id: str | None = None
    is_admin: bool = False

    @property
    def name(self) -> str:
        """For the audit log."""
        return self.user_id or "operator"

    @property
    def may_all(self) -> bool:
        return self.user_id is None or self.is_admin


OPERATOR: Final = Actor()


async def find_owner(store: AdminStore, user: str | None, organization: str | None) -> Owner | Problem:
    """One of the two by id, e-mail address or name. Refuses: bad_request (none or both), not_found, conflict."""
    if (user is None) == (organization is None):
        return Problem(Code.BAD_REQUEST, shown="name a user or an organization")
    if organization is not None:
        found = await find_organization(store, organization)
        return found if isinstance(found, Problem) else Owner(OwnerKind.ORGANIZATION, found.id)
    person = await show_user(store, str(user))
    return person if isinstance(person, Problem) else Owner(OwnerKind.USER, person.id)


async def check_access(store: AdminStore, actor: Actor, owner: Owner, *, to_change: bool) -> Problem | None:
    """Members may look, MANAGERS may change; what is a user's is theirs alone. Roles are read from the database.

    Refuses: forbidden.
    """
    if actor.may_all or owner == Owner(OwnerKind.USER, str(actor.user_id)):
        return None
    role = await role_of(store, actor, owner.id) if owner.kind is OwnerKind.ORGANIZATION else _NO_MEMBER
    if isinstance(role, Problem):
        return role
    if to_change and role not in MANAGERS:
        return Problem(Code.FORBIDDEN, f"a {role}", shown=NO_ROLE)
    return None


async def role_of(store: AdminStore, actor: Actor, organization_id: str) -> Role | Problem:
    """As whom they act for the organization; one who may do everything is an owner. Refuses: forbidden."""
    if actor.may_all:
        return Role.OWNER
    members = await store.list_members(organization_id)
    return next((member.role for member in members if member.user_id == actor.user_id), _NO_MEMBER)
