"""`tollway orgs`: organizations, what they allow, their members, and what each member may spend a day."""

from typing import Annotated, Any, TypeAlias

import typer
from msgspec import to_builtins

from tollway.admin import invitations, members, organization_changes, organizations
from tollway.admin.credits import Owner
from tollway.admin.fields import check_page
from tollway.admin.invitations import Invited
from tollway.admin.members import MemberChange
from tollway.admin.office import Office
from tollway.admin.organizations import NewOrganization, OrganizationDetails
from tollway.admin.ownership import OPERATOR
from tollway.admin.preferences import read_preferences
from tollway.admin.records import AuditEntry, AuditFilter, Member, Organization, OrganizationChange, Page, Setting
from tollway.admin.top_ups import AutoTopUp
from tollway.cli import arguments, top_up
from tollway.cli import organization_options as options
from tollway.cli.database import Administration, administer
from tollway.cli.output import fields_of, write_json, write_record, write_table
from tollway.errors import Problem
from tollway.identity.caller import Role

app = typer.Typer(help="Organizations.", no_args_is_help=True)
OrganizationWithTopUp: TypeAlias = tuple[OrganizationDetails, AutoTopUp]
_COLUMNS = ("id", "name", "plan", "created_at")
_MEMBER_COLUMNS = ("user_id", "email", "role", "daily_limit_microdollars", "is_bot")


@app.command()
def create(
    name: Annotated[str, typer.Argument(help="Name.")],
    plan: Annotated[str, typer.Option(help="teams or enterprise.")] = "teams",
    as_json: arguments.AsJson = False,
) -> None:
    """Create an organization."""

    async def work(admin: Administration) -> Organization | Problem:
        return await organizations.create_organization(admin.store, NewOrganization(name, plan), admin.now)

    _write(_fields_of(administer(work)), as_json)


@app.command("list")
def list_(limit: arguments.Limit = 100, before: arguments.Before = None, as_json: arguments.AsJson = False) -> None:
    """List organizations, newest first."""

    async def work(admin: Administration) -> tuple[Organization, ...] | Problem:
        return await organizations.list_organizations(admin.store, Page(limit, before))

    found = administer(work)
    if as_json:
        write_json([_fields_of(organization) for organization in found])
    else:
        write_table(found, _COLUMNS, "There are no organizations.")


@app.command()
def show(organization: arguments.Organization, as_json: arguments.AsJson = False) -> None:
    """Show an organization and its members."""

    async def work(admin: Administration) -> OrganizationWithTopUp | Problem:
        return await _found(admin, organization)

    found = administer(work)
    fields, members = _all_fields_of(found, as_json=as_json), found[0].members
    if as_json:
        write_json({**fields, "members": members})
        return
    write_record(fields)
    write_table(members, _MEMBER_COLUMNS, "There are no members.")


@app.command("set")
def set_(
    organization: arguments.Organization,
    plan: options.Plan = None,
    require_seats: options.RequireSeats = None,
    model_allow_list: options.ModelList = None,
    model_deny_list: options.ModelList = None,
    provider_allow_list: options.ProviderList = None,
    provider_deny_list: options.ProviderList = None,
    name: options.Name = None,
    data_collection: options.DataCollection = None,
    default_model: options.DefaultModel = None,
    prompt_prefix_days: options.PromptPrefixDays = None,
    request_log_days: options.RequestLogDays = None,
    minimum_balance: options.MinimumBalance = None,
    minimum_balance_alert_email: options.AlertEmail = None,
    code_indexing: options.CodeIndexing = None,
    auto_top_up: top_up.Amount = None,
    auto_top_up_reason: top_up.Reason = None,
    as_json: arguments.AsJson = False,
) -> None:
    """Set what an organization allows its members. What is not named stays; lists count on the plan enterprise only."""
    texts = {
        "model_allow_list": model_allow_list,
        "model_deny_list": model_deny_list,
        "provider_allow_list": provider_allow_list,
        "provider_deny_list": provider_deny_list,
        "minimum_balance_alert_email": minimum_balance_alert_email,
    }
    settings: dict[str, Setting] = {name: arguments.read_list(text) for name, text in texts.items() if text is not None}
    if data_collection is not None:
        settings["data_collection"] = None if data_collection == "none" else data_collection
    if default_model is not None:
        settings["default_model"] = next(iter(arguments.read_list(default_model)), None)
    days = {"prompt_prefix_days": prompt_prefix_days, "request_log_days": request_log_days}
    settings |= {name: arguments.read_days(text) for name, text in days.items() if text is not None}
    if minimum_balance is not None:
        settings["minimum_balance_microdollars"] = arguments.read_limit(minimum_balance)
    if code_indexing is not None:
        settings["code_indexing_enabled"] = code_indexing
    change = OrganizationChange(plan, require_seats, settings, name)
    wish = top_up.read(auto_top_up, auto_top_up_reason)

    async def work(admin: Administration) -> OrganizationWithTopUp | Problem:
        found = await organizations.find_organization(admin.store, organization)
        if isinstance(found, Problem):
            return found
        if wish is None or change != OrganizationChange():
            changed = await organizations.change_organization(
                admin.store, found.id, change, admin.now, organization_changes.audit_of(_office(admin))
            )
            if isinstance(changed, Problem):
                return changed
        if wish is not None:
            set_ = await top_up.set_(admin, Owner(organization=found.id), wish)
            if isinstance(set_, Problem):
                return set_
        return await _found(admin, found.id)

    _write(_all_fields_of(administer(work), as_json=as_json), as_json)


@app.command("add-member")
def add_member(
    organization: arguments.Organization,
    user: arguments.User,
    role: Annotated[Role, typer.Option(help="What the member may do.")] = Role.MEMBER,
    as_json: arguments.AsJson = False,
) -> None:
    """Let a user spend the organization's credits."""

    async def work(admin: Administration) -> Member | Problem:
        return await members.add_member(_office(admin), organization, user, role)

    _write(fields_of(administer(work)), as_json)


@app.command("remove-member")
def remove_member(organization: arguments.Organization, user: arguments.User) -> None:
    """End a membership, and the daily limit that went with it."""

    async def work(admin: Administration) -> Problem | None:
        return await members.remove_member(_office(admin), organization, user)

    administer(work)


@app.command("set-limit")
def set_limit(
    organization: arguments.Organization,
    user: arguments.User,
    limit: Annotated[str, typer.Argument(help="USD per UTC day, or none.", metavar="USD")],
    as_json: arguments.AsJson = False,
) -> None:
    """Set what a member may spend per day."""
    amount = arguments.read_limit(limit)  # here, because to typer a parsed None is a missing argument

    async def work(admin: Administration) -> Member | Problem:
        return await members.set_daily_limit(_office(admin), organization, user, amount)

    _write(fields_of(administer(work)), as_json)


@app.command("set-role")
def set_role(
    organization: arguments.Organization,
    user: arguments.User,
    role: Annotated[Role, typer.Argument(help="What the member may do.")],
    as_json: arguments.AsJson = False,
) -> None:
    """Change what a member may do."""

    async def work(admin: Administration) -> Member | Problem:
        return await members.change_member(_office(admin), organization, user, MemberChange(role))

    _write(fields_of(administer(work)), as_json)


@app.command()
def invite(
    organization: arguments.Organization,
    email: Annotated[str, typer.Argument(help="E-mail address.")],
    role: Annotated[Role, typer.Option(help="What the member may do.")] = Role.MEMBER,
    as_json: arguments.AsJson = False,
) -> None:
    """Ask somebody to become a member. The token is shown now and never again; nothing is sent."""

    async def work(admin: Administration) -> Invited | Problem:
        found = await organizations.find_organization(admin.store, organization)
        if isinstance(found, Problem):
            return found
        return await invitations.invite(_office(admin), found.id, email, role, admin.pepper())

    made = administer(work)
    _write({"token": made.token, **fields_of(made.invitation)}, as_json)


@app.command("audit-log")
def audit_log(
    organization: arguments.Organization,
    since: Annotated[str | None, typer.Option("--from", help="Date.", metavar="WHEN")] = None,
    until: Annotated[str | None, typer.Option("--to", help="Date; before it.", metavar="WHEN")] = None,
    user: Annotated[str | None, typer.Option("--user", help="Id of who did it.", metavar="ID")] = None,
    action: Annotated[str | None, typer.Option(help="Such as organization.member.remove.")] = None,
    limit: arguments.Limit = 100,
    before: arguments.Before = None,
    as_json: arguments.AsJson = False,
) -> None:
    """Show who changed what, newest first; of a time, of one user, of one kind of change."""
    begin = None if since is None else arguments.read_instant(since)
    end = None if until is None else arguments.read_instant(until)
    wanted = AuditFilter(begin, end, user, action)

    async def work(admin: Administration) -> tuple[AuditEntry, ...] | Problem:
        found = await organizations.find_organization(admin.store, organization)
        if isinstance(found, Problem):
            return found
        page = check_page(Page(limit, before))
        if isinstance(page, Problem):
            return page
        return await admin.store.list_audit(found.id, page, wanted)

    found = administer(work)
    if as_json:
        write_json(found)
    else:
        write_table(found, ("created_at", "actor", "actor_email", "action", "message"), "There are no entries.")


@app.command()
def delete(organization: arguments.Organization) -> None:
    """Nobody acts for it any more, and its stored secrets are gone; the books stay."""

    async def work(admin: Administration) -> Problem | None:
        found = await organizations.find_organization(admin.store, organization)
        if isinstance(found, Problem):
            return found
        return await organization_changes.delete_organization(_office(admin), found)

    administer(work)


async def _found(admin: Administration, organization: str) -> OrganizationWithTopUp | Problem:
    found = await organizations.show_organization(admin.store, organization)
    if isinstance(found, Problem):
        return found
    wanted = await top_up.show(admin, Owner(organization=found.organization.id))
    return wanted if isinstance(wanted, Problem) else (found, wanted)


def _all_fields_of(found: OrganizationWithTopUp, *, as_json: bool) -> dict[str, Any]:
    details, wanted = found
    more = {"auto_top_up": top_up.for_json(wanted)} if as_json else top_up.fields_of(wanted)
    return {**_fields_of(details.organization), **more}


def _office(admin: Administration) -> Office:
    return Office(admin.store, OPERATOR, admin.now)


def _fields_of(organization: Organization) -> dict[str, Any]:
    """Its fields in one row, the settings among them."""
    fields = fields_of(organization)
    del fields["settings"], fields["stored"]
    return {**fields, **to_builtins(organization.settings), **to_builtins(read_preferences(organization.stored))}


def _write(fields: dict[str, Any], as_json: bool) -> None:
    if as_json:
        write_json(fields)
    else:
        write_record(fields)
