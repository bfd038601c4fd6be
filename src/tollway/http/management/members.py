"""Members of an organization and invitations to it."""

from typing import Annotated, Final
from urllib.parse import quote

from msgspec import UNSET
from pydantic import BaseModel, Field

from tollway.admin import invitations, key_changes, members
from tollway.admin.invitations import TOKEN_CHARS
from tollway.admin.members import MemberChange
from tollway.admin.records import Invitation, Member, Page
from tollway.errors import Problem
from tollway.http.management.call import Access, Current
from tollway.http.management.keys import Cursor, KeyBody, KeyWithSecret, Limit, key_desk, with_secret
from tollway.http.management.organizations import ONE
from tollway.http.management.table import Body, Done, Listing, Table, page_of
from tollway.identity.caller import Role
from tollway.money import MICRODOLLARS_MAX

MEMBERS: Final = f"{ONE}/members"
INVITATIONS: Final = f"{ONE}/invitations"

_Role = Annotated[Role, Field(strict=False)]


class NewMemberBody(Body):
    """`user`: id or e-mail address."""

    user: Annotated[str, Field(min_length=1, max_length=320)]
    role: _Role = Role.MEMBER


class MemberBody(Body):
    """What is left out stays; a limit of null is none."""

    role: _Role | None = None
    daily_limit_microdollars: Annotated[int | None, Field(ge=-MICRODOLLARS_MAX, le=MICRODOLLARS_MAX)] = None


class InvitationBody(Body):
    email: Annotated[str, Field(min_length=1, max_length=320)]
    role: _Role = Role.MEMBER


class InvitationWithToken(BaseModel):
    """The address with the token in it is for the one who is invited; it is in no store and not shown again."""

    invitation: Invitation
    token: str
    acceptInviteUrl: str  # noqa: N815  (its name on the wire)


class TokenBody(Body):
    token: Annotated[str, Field(min_length=TOKEN_CHARS, max_length=TOKEN_CHARS)]


def add_members(table: Table) -> None:
    table.add("GET", MEMBERS, Access.LOOK, list_members, Listing[Member])
    table.add("POST", MEMBERS, Access.ADMINISTRATOR, put_member, Member, status=201, once=True)
    table.add("PATCH", f"{MEMBERS}/{{member_id}}", Access.CHANGE, change_member, Member)
    table.add("DELETE", f"{MEMBERS}/{{member_id}}", Access.CHANGE, remove_member, Done)
    table.add(
        "POST", f"{MEMBERS}/{{member_id}}/keys", Access.CHANGE, create_member_key, KeyWithSecret, status=201, once=True
    )
    table.add("GET", INVITATIONS, Access.CHANGE, list_invitations, Listing[Invitation])
    table.add("POST", INVITATIONS, Access.CHANGE, invite, InvitationWithToken, status=201, once=True)
    table.add("DELETE", f"{INVITATIONS}/{{invitation_id}}", Access.CHANGE, revoke_invitation, Invitation)
    table.add("POST", "/invitations/accept", Access.SIGNED_IN, accept_invitation, Member, once=True)


async def list_members(call: Current) -> Listing[Member]:
    """All of them, by e-mail address."""
    found = await call.services.store.list_members(call.found.id)
    return Listing[Member](data=list(found), next_cursor=None)


async def put_member(call: Current, body: NewMemberBody) -> Member | Problem:
    """Make a user a member without asking them."""
    return await members.add_member(call.office, call.found.id, body.user, body.role)


async def change_member(call: Current, member_id: str, body: MemberBody) -> Member | Problem:
    """Role, and what the member may spend per UTC day. Nobody grants or takes what is not below their own role."""
    limit = body.daily_limit_microdollars if "daily_limit_microdollars" in body.model_fields_set else UNSET
    change = MemberChange(UNSET if body.role is None else body.role, limit)
    return await members.change_member(call.office, call.found.id, member_id, change)


async def remove_member(call: Current, member_id: str) -> Done | Problem:
    """Membership and daily limit end. Service accounts stay until an administrator erases them."""
    return await members.remove_member(call.office, call.found.id, member_id) or Done()


async def create_member_key(call: Current, member_id: str, body: KeyBody) -> KeyWithSecret | Problem:
    """The organization's key for a service account that is its member. The secret is shown now and never again."""
    return with_secret(await key_changes.create_key_for(key_desk(call), call.found.id, member_id, body.change))


async def list_invitations(call: Current, limit: Limit = 100, cursor: Cursor = None) -> Listing[Invitation] | Problem:
    """Newest first, those that are over among them."""
    page = Page(limit, cursor)
    found = await invitations.list_invitations(call.office, call.found.id, page)
    return found if isinstance(found, Problem) else page_of(found, page)


async def invite(call: Current, body: InvitationBody) -> InvitationWithToken | Problem:
    """Ask somebody by e-mail address to become a member, within seven days. Nothing is sent: pass the address on."""
    made = await invitations.invite(call.office, call.found.id, body.email, body.role, call.services.pepper)
    if isinstance(made, Problem):
        return made
    url = f"{call.services.app_url.rstrip('/')}/invitations/accept?token={quote(made.token)}"
    return InvitationWithToken(invitation=made.invitation, token=made.token, acceptInviteUrl=url)


async def revoke_invitation(call: Current, invitation_id: str) -> Invitation | Problem:
    """It cannot be accepted any more."""
    return await invitations.revoke_invitation(call.office, call.found.id, invitation_id)


async def accept_invitation(call: Current, body: TokenBody) -> Member | Problem:
    """Become a member, as the user whose address was invited."""
    return await invitations.accept_invitation(call.office, body.token, call.services.pepper)
