"""Organizations: `/organizations…`: found, show, set, delete, and their balance."""

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, Final, Literal

from msgspec import to_builtins
from pydantic import Field

from tollway.admin import organization_changes
from tollway.admin.credits import Owner as Account
from tollway.admin.credits import show_balance
from tollway.admin.organizations import list_organizations
from tollway.admin.ownership import MANAGERS, NO_ACCESS, role_of
from tollway.admin.preferences import read_preferences
from tollway.admin.records import AccountBalance, Organization, OrganizationChange, Page, Setting
from tollway.admin.restrictions import LIST_ENTRIES_MAX
from tollway.errors import Code, Problem
from tollway.http.management.call import Access, Call, Current
from tollway.http.management.keys import Amount, Cursor, Limit
from tollway.http.management.table import Body, Done, Listing, Table, page_of
from tollway.identity.caller import Role
from tollway.identity.kept_text import KeptText
from tollway.identity.organization import KEPT_DAYS_MAX

ONE: Final = "/organizations/{organization_id}"

_Entries = Annotated[list[Annotated[str, Field(max_length=256)]], Field(max_length=LIST_ENTRIES_MAX)]

_Days = Annotated[int, Field(ge=1, le=KEPT_DAYS_MAX)]


class NewOrganizationBody(Body):
    name: Annotated[str, Field(min_length=1, max_length=200)]


class SettingsBody(Body):
    """What is left out stays; null or an empty list takes one away. `*_days` are an owner's to set."""

    model_allow_list: _Entries | None = None
    model_deny_list: _Entries | None = None
    provider_allow_list: _Entries | None = None
    provider_deny_list: _Entries | None = None
    data_collection: Literal["allow", "deny"] | None = None
    default_model: Annotated[str | None, Field(max_length=256)] = None
    prompt_prefix_days: _Days | None = None
    request_log_days: _Days | None = None
    minimum_balance_microdollars: Amount | None = None
    minimum_balance_alert_email: Annotated[list[Annotated[str, Field(max_length=320)]] | None, Field(max_length=20)] = (
        None
    )
    code_indexing_enabled: bool | None = None


class OrganizationBody(Body):
    """What is left out stays. Plan and seats are for administrators."""

    name: Annotated[str | None, Field(min_length=1, max_length=200)] = None
    plan: Literal["teams", "enterprise"] | None = None
    require_seats: bool | None = None
    settings: SettingsBody | None = None


@dataclass(frozen=True, slots=True)
class SettingsShown:
    """`minimum_balance_alert_email` null: not for plain members. `*_days`: for how many days first characters of
    prompts are kept, and whole requests with their answers; null: the organization has none kept."""

    model_allow_list: list[str]
    model_deny_list: list[str]
    provider_allow_list: list[str]
    provider_deny_list: list[str]
    data_collection: str | None
    default_model: str | None
    prompt_prefix_days: int | None
    request_log_days: int | None
    minimum_balance_microdollars: int | None
    minimum_balance_alert_email: list[str] | None
    code_indexing_enabled: bool


@dataclass(frozen=True, slots=True)
class OrganizationShown:
    """`role`: as whom the caller acts for it. `kept`: what of the text of its requests is kept now, which the operator
    must permit as well."""

    id: str
    name: str
    plan: str
    require_seats: bool
    created_at: datetime
    role: Role
    settings: SettingsShown
    kept: KeptText


def add_organizations(table: Table) -> None:
    table.add("GET", "/organizations", Access.SIGNED_IN, list_my_organizations, Listing[OrganizationShown])
    table.add("POST", "/organizations", Access.SIGNED_IN, create_organization, OrganizationShown, status=201, once=True)
    table.add("GET", "/all-organizations", Access.ADMINISTRATOR, list_all_organizations, Listing[OrganizationShown])
    table.add("GET", ONE, Access.LOOK, show_organization, OrganizationShown)
    table.add("PATCH", ONE, Access.CHANGE, change_organization, OrganizationShown)
    table.add("DELETE", ONE, Access.CHANGE, delete_organization, Done)
    table.add("GET", f"{ONE}/balance", Access.LOOK, show_organization_balance, AccountBalance)


async def list_my_organizations(call: Current) -> Listing[OrganizationShown]:
    """Those that the caller belongs to."""
    found = await call.services.store.list_memberships(call.caller.user_id)
    mine = [one for one in found if call.caller.organization_id in (None, one.organization.id)]
    return Listing[OrganizationShown](data=[_shown(call, one.organization, one.role) for one in mine], next_cursor=None)


async def list_all_organizations(call: Current, limit: Limit = 100, cursor: Cursor = None) -> object:
    """All there are, newest first."""
    page = Page(limit, cursor)
    found = await list_organizations(call.services.store, page)
    return found if isinstance(found, Problem) else page_of([_shown(call, one, Role.OWNER) for one in found], page)


async def create_organization(call: Current, body: NewOrganizationBody) -> OrganizationShown | Problem:
    """The caller becomes its owner."""
    if call.organization is not None:
        return Problem(Code.FORBIDDEN, "the key is bound", shown=NO_ACCESS)
    made = await organization_changes.found_organization(call.office, body.name)
    return made if isinstance(made, Problem) else _shown(call, made, Role.OWNER)


async def show_organization(call: Current) -> OrganizationShown | Problem:
    """Name, plan and settings."""
    role = await role_of(call.services.store, call.actor, call.found.id)
    return role if isinstance(role, Problem) else _shown(call, call.found, role)


async def change_organization(call: Current, body: OrganizationBody) -> OrganizationShown | Problem:
    """Only what is named changes. Settings about models need the plan `enterprise`."""
    settings: dict[str, Setting] = {}
    if body.settings is not None:
        entered = body.settings.model_dump(exclude_unset=True)
        settings = {name: tuple(value) if isinstance(value, list) else value for name, value in entered.items()}
    change = OrganizationChange(body.plan, body.require_seats, settings, body.name)
    changed = await organization_changes.change_settings(call.office, call.found, change)
    if isinstance(changed, Problem):
        return changed
    role = await role_of(call.services.store, call.actor, changed.id)
    if isinstance(role, Problem):
        return role
    return _shown(call, changed, role)


async def delete_organization(call: Current) -> Done | Problem:
    """By an owner: nobody acts for it any more, and its stored secrets are gone."""
    return await organization_changes.delete_organization(call.office, call.found) or Done()


async def show_organization_balance(call: Current) -> AccountBalance | Problem:
    """What is left of its credits."""
    return await show_balance(call.services.store, Account(organization=call.found.id))


def _shown(call: Call, one: Organization, role: Role) -> OrganizationShown:
    preferences: dict[str, Any] = to_builtins(read_preferences(one.stored))
    if role not in MANAGERS:
        preferences["minimum_balance_alert_email"] = None
    settings: dict[str, Any] = {**to_builtins(one.settings), **preferences}
    lists: dict[str, Any] = {name: list(v) if isinstance(v, tuple) else v for name, v in settings.items()}
    kept = call.services.text_permissions.in_force(one.id, one.settings)
    return OrganizationShown(
        one.id, one.name, one.plan, one.require_seats, one.created_at, role, SettingsShown(**lists), kept
    )
