"""`tollway users`: who may call."""

from typing import Annotated, TypeAlias

import typer

from tollway.admin import users
from tollway.admin.credits import Owner
from tollway.admin.records import Page, User
from tollway.admin.top_ups import AutoTopUp
from tollway.cli import arguments, top_up
from tollway.cli.database import Administration, administer
from tollway.cli.output import fields_of, write_json, write_record, write_table
from tollway.errors import Problem

app = typer.Typer(help="Users.", no_args_is_help=True)
UserWithTopUp: TypeAlias = tuple[User, AutoTopUp]
_COLUMNS = ("id", "email", "name", "is_admin", "is_bot", "blocked_reason", "created_at")


@app.command()
def create(
    email: Annotated[str, typer.Argument(help="E-mail address.")],
    name: Annotated[str, typer.Option(help="Name.")] = "",
    service_account: Annotated[
        bool, typer.Option("--service-account", help="A program: organizations neither remove it nor are owned by it.")
    ] = False,
    as_json: arguments.AsJson = False,
) -> None:
    """Create a user."""

    async def work(admin: Administration) -> User | Problem:
        return await users.create_user(admin.store, users.NewUser(email, name, service_account), admin.now)

    _write(administer(work), as_json)


@app.command("list")
def list_(limit: arguments.Limit = 100, before: arguments.Before = None, as_json: arguments.AsJson = False) -> None:
    """List users, newest first."""

    async def work(admin: Administration) -> tuple[User, ...] | Problem:
        return await users.list_users(admin.store, Page(limit, before))

    found = administer(work)
    if as_json:
        write_json(found)
    else:
        write_table(found, _COLUMNS, "There are no users.")


@app.command()
def show(user: arguments.User, as_json: arguments.AsJson = False) -> None:
    """Show one user."""

    async def work(admin: Administration) -> UserWithTopUp | Problem:
        return await _found(admin, user)

    _write_all(administer(work), as_json)


@app.command("set")
def set_(
    user: arguments.User,
    email: Annotated[str | None, typer.Option(help="Another e-mail address.")] = None,
    name: Annotated[str | None, typer.Option(help="Another name.")] = None,
    auto_top_up: top_up.Amount = None,
    auto_top_up_reason: top_up.Reason = None,
    as_json: arguments.AsJson = False,
) -> None:
    """Change a user. What is not named stays."""
    wish = top_up.read(auto_top_up, auto_top_up_reason)

    async def work(admin: Administration) -> UserWithTopUp | Problem:
        if email is not None or name is not None or wish is None:
            changed = await users.change_user(admin.store, user, email, name, admin.now)
            if isinstance(changed, Problem):
                return changed
            reference = changed.id
        else:
            reference = user
        if wish is not None:
            set_ = await top_up.set_(admin, Owner(user=reference), wish)
            if isinstance(set_, Problem):
                return set_
        return await _found(admin, reference)

    _write_all(administer(work), as_json)


@app.command()
def block(
    user: arguments.User,
    reason: Annotated[str, typer.Option(help="Why; kept with the user.")] = "blocked by the operator",
    as_json: arguments.AsJson = False,
) -> None:
    """Refuse every key and token of a user from now on."""

    async def work(admin: Administration) -> User | Problem:
        return await users.block_user(admin.store, user, reason, admin.now)

    _write(administer(work), as_json)


@app.command()
def unblock(user: arguments.User, as_json: arguments.AsJson = False) -> None:
    """Accept a blocked user's keys and tokens again."""

    async def work(admin: Administration) -> User | Problem:
        return await users.unblock_user(admin.store, user, admin.now)

    _write(administer(work), as_json)


@app.command()
def admin(
    user: arguments.User,
    on: Annotated[bool, typer.Option("--on/--off", help="Whether the user may do everything.")],
    as_json: arguments.AsJson = False,
) -> None:
    """Let a user manage everything over HTTP, or no longer. There is no other way to make one."""

    async def work(admin: Administration) -> User | Problem:
        return await users.set_admin(admin.store, user, is_admin=on, now=admin.now)

    _write(administer(work), as_json)


@app.command("reset-tokens")
def reset_tokens(user: arguments.User, as_json: arguments.AsJson = False) -> None:
    """End every token of a user, also of an account taken over without a pepper; API keys go on."""

    async def work(admin: Administration) -> User | Problem:
        return await users.reset_tokens(admin.store, user, admin.now)

    _write(administer(work), as_json)


@app.command()
def delete(user: arguments.User, as_json: arguments.AsJson = False) -> None:
    """Delete a user for good: own keys, endpoints and memberships go, API keys end; the books keep a pseudonym."""

    async def work(admin: Administration) -> User | Problem:
        return await users.delete_user(admin.store, user, admin.now)

    _write(administer(work), as_json)


async def _found(admin: Administration, user: str) -> UserWithTopUp | Problem:
    found = await users.show_user(admin.store, user)
    if isinstance(found, Problem):
        return found
    wanted = await top_up.show(admin, Owner(user=found.id))
    return wanted if isinstance(wanted, Problem) else (found, wanted)


def _write_all(found: UserWithTopUp, as_json: bool) -> None:
    user, wanted = found
    if as_json:
        write_json({**fields_of(user), "auto_top_up": top_up.for_json(wanted)})
    else:
        write_record({**fields_of(user), **top_up.fields_of(wanted)})


def _write(user: User, as_json: bool) -> None:
    if as_json:
        write_json(user)
    else:
        write_record(fields_of(user))
