"""`tollway orgs`: organizations, their members, and what each member may spend a day."""

from typing import Annotated, Any

import typer

from tollway.admin import organizations
from tollway.admin.organizations import NewOrganization, OrganizationDetails
from tollway.admin.records import Member, Organization, Page
from tollway.cli import arguments
from tollway.cli.database import Administration, administer
from tollway.cli.output import fields_of, write_json, write_record, write_table
from tollway.errors import Problem
from tollway.identity.caller import Role

app = typer.Typer(help="Organizations.", no_args_is_help=True)
_COLUMNS = ("id", "name", "plan", "created_at")
_MEMBER_COLUMNS = ("user_id", "email", "role", "daily_limit_microdollars")


@app.command()
def create(
    name: Annotated[str, typer.Argument(help="Name.")],
    plan: Annotated[str, typer.Option(help="teams or enterprise.")] = "teams",
    as_json: arguments.AsJson = False,
) -> None:
    """Create an organization."""

    async def work(admin: Administration) -> Organization | Problem:
        return await organizations.create_organization(admin.store, NewOrganization(name, plan), admin.now)

    _write(administer(work), as_json)


@app.command("list")
def list_(limit: arguments.Limit = 100, before: arguments.Before = None, as_json: arguments.AsJson = False) -> None:
    """List organizations, newest first."""

    async def work(admin: Administration) -> tuple[Organization, ...] | Problem:
        return await organizations.list_organizations(admin.store, Page(limit, before))

    found = administer(work)
    if as_json:
        write_json(found)
    else:
        write_table(found, _COLUMNS, "There are no organizations.")


@app.command()
def show(organization: arguments.Organization, as_json: arguments.AsJson = False) -> None:
    """Show an organization and its members."""

    async def work(admin: Administration) -> OrganizationDetails | Problem:
        return await organizations.show_organization(admin.store, organization)

    found = administer(work)
    if as_json:
        write_json({**fields_of(found.organization), "members": found.members})
        return
    write_record(fields_of(found.organization))
    write_table(found.members, _MEMBER_COLUMNS, "There are no members.")


@app.command("add-member")
def add_member(
    organization: arguments.Organization,
    user: arguments.User,
    role: Annotated[Role, typer.Option(help="What the member may do.")] = Role.MEMBER,
    as_json: arguments.AsJson = False,
) -> None:
    """Let a user spend the organization's credits."""

    async def work(admin: Administration) -> Member | Problem:
        return await organizations.add_member(admin.store, organization, user, role, admin.now)

    _write(administer(work), as_json)


@app.command("remove-member")
def remove_member(organization: arguments.Organization, user: arguments.User) -> None:
    """End a membership, and the daily limit that went with it."""

    async def work(admin: Administration) -> Problem | None:
        return await organizations.remove_member(admin.store, organization, user)

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
        return await organizations.set_daily_limit(admin.store, organization, user, amount)

    _write(administer(work), as_json)


def _write(record: Any, as_json: bool) -> None:
    if as_json:
        write_json(record)
    else:
        write_record(fields_of(record))
