"""`tollway orgs`: organizations, what they allow, their members, and what each member may spend a day."""

from typing import Annotated, Any

import typer
from msgspec import to_builtins

from tollway.admin import invitations, members, organization_changes, organizations
from tollway.admin.fields import check_page
from tollway.admin.invitations import Invited
from tollway.admin.members import MemberChange
from tollway.admin.office import Office
from tollway.admin.organizations import NewOrganization, OrganizationDetails
from tollway.admin.ownership import OPERATOR
from tollway.admin.preferences import read_preferences
from tollway.admin.records import AuditEntry, AuditFilter, Member, Organization, OrganizationChange, Page, Setting
from tollway.cli import arguments
from tollway.cli.database import Administration, administer
from tollway.cli.output import fields_of, write_json, write_record, write_table
from tollway.errors import Problem
from tollway.identity.caller import Role

app = typer.Typer(help="Organizations.", no_args_is_help=True)
_COLUMNS = ("id", "name", "plan", "created_at")
_ModelList = Annotated[
    str | None, typer.Option(help="Models (vendor/name) and namespaces (vendor/*), by commas; or none.", metavar="LIST")
]
_ProviderList = Annotated[str | None, typer.Option(help="Inference providers, by commas; or none.", metavar="LIST")]
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

    async def work(admin: Administration) -> OrganizationDetails | Problem:
        return await organizations.show_organization(admin.store, organization)

    found = administer(work)
    if as_json:
        write_json({**_fields_of(found.organization), "members": found.members})
        return
    write_record(_fields_of(found.organization))
    write_table(found.members, _MEMBER_COLUMNS, "There are no members.")


@app.command("set")
def set_(
    organization: arguments.Organization,
    plan: Annotated[str | None, typer.Option(help="teams or enterprise.")] = None,
    require_seats: Annotated[
        bool | None,
        typer.Option("--require-seats/--no-require-seats", help="Paid by seat: members' daily limits do not count."),
    ] = None,
    model_allow_list: _ModelList = None,
    model_deny_list: _ModelList = None,
    provider_allow_list: _ProviderList = None,
    provider_deny_list: _ProviderList = None,
    name: Annotated[str | None, typer.Option(help="Another name.")] = None,
    data_collection: Annotated[
        str | None, typer.Option(help="allow, deny, or none: callers decide.", metavar="TEXT")
    ] = None,
    default_model: Annotated[
        str | None, typer.Option(help="What members' clients begin with, or none.", metavar="MODEL")
    ] = None,
    prompt_prefix_days: Annotated[
        str | None,
        typer.Option(help="Keep the first 100 characters of prompts for so many days, or none.", metavar="DAYS"),
    ] = None,
    request_log_days: Annotated[
        str | None,
        typer.Option(help="Keep requests and answers, word for word, for so many days, or none.", metavar="DAYS"),
    ] = None,
    as_json: arguments.AsJson = False,
) -> None:
    """Set what an organization allows its members. What is not named stays; lists count on the plan enterprise only."""
    texts = {
        "model_allow_list": model_allow_list,
        "model_deny_list": model_deny_list,
        "provider_allow_list": provider_allow_list,
        "provider_deny_list": provider_deny_list,
    }
    settings: dict[str, Setting] = {name: arguments.read_list(text) for name, text in texts.items() if text is not None}
    if data_collection is not None:
        settings["data_collection"] = None if data_collection == "none" else data_collection
    if default_model is not None:
        settings["default_model"] = next(iter(arguments.read_list(default_model)), None)
    days = {"prompt_prefix_days": prompt_prefix_days, "request_log_days": request_log_days}
    settings |= {name: arguments.read_days(text) for name, text in days.items() if text is not None}
    change = OrganizationChange(plan, require_seats, settings, name)

    async def work(admin: Administration) -> Organization | Problem:
        found = await organizations.find_organization(admin.store, organization)
        if isinstance(found, Problem):
            return found
        return await organizations.change_organization(
            admin.store, found.id, change, admin.now, organization_changes.audit_of(_office(admin))
        )

    _write(_fields_of(administer(work)), as_json)


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
