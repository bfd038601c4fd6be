"""`tollway keys`: API keys. A key is printed once, when it is made."""

from datetime import datetime
from typing import Annotated, Any

import typer
from msgspec import UNSET

from tollway.admin import key_changes, keys
from tollway.admin.key_changes import KeyChange, KeyDesk
from tollway.admin.keys import CreatedKey, KeyFilter, NewKey
from tollway.admin.office import Office
from tollway.admin.ownership import OPERATOR
from tollway.admin.records import ApiKey, Page
from tollway.cli import arguments
from tollway.cli.database import Administration, administer
from tollway.cli.output import fields_of, write_json, write_record, write_table
from tollway.errors import Problem
from tollway.money import Microdollars

app = typer.Typer(help="API keys.", no_args_is_help=True)
_COLUMNS = (
    "id",
    "label",
    "prefix",
    "last_four",
    "user_id",
    "organization_id",
    "limit_microdollars",
    "spent_microdollars",
    "model_allow_list",
    "last_used_at",
    "expires_at",
    "revoked_at",
)

Models = Annotated[
    str | None, typer.Option("--models", help="Models it is for, vendor/* for all of one, or none.", metavar="LIST")
]


@app.command()
def create(
    user: Annotated[str, typer.Option("--user", help="Id or e-mail address of the owner.", metavar="USER")],
    organization: arguments.OfOrganization = None,
    label: Annotated[str, typer.Option(help="What it is for.")] = "",
    limit: Annotated[
        Microdollars | None,
        typer.Option("--limit", parser=arguments.read_amount, help="USD it may spend in all.", metavar="USD"),
    ] = None,
    expires: Annotated[
        datetime | None,
        typer.Option("--expires", parser=arguments.read_instant, help="Date, or days such as 30d.", metavar="WHEN"),
    ] = None,
    models: Models = None,
    as_json: arguments.AsJson = False,
) -> None:
    """Create a key. It is shown now and never again."""

    async def work(admin: Administration) -> CreatedKey | Problem:
        order = NewKey(user, organization, label, limit, expires, arguments.read_list(models or "none"))
        return await keys.create_key(admin.store, order, admin.pepper(), admin.now)

    created = administer(work)
    fields = {"key": created.key, **fields_of(created.api_key)}
    if as_json:
        write_json(fields)
    else:
        write_record(fields)
        typer.echo("Keep the key now: it is not shown again.", err=True)


@app.command("list")
def list_(
    user: arguments.OfUser = None,
    organization: arguments.OfOrganization = None,
    limit: arguments.Limit = 100,
    before: arguments.Before = None,
    as_json: arguments.AsJson = False,
) -> None:
    """List keys, newest first, without their secrets."""

    async def work(admin: Administration) -> tuple[ApiKey, ...] | Problem:
        return await keys.list_keys(admin.store, KeyFilter(user, organization), Page(limit, before))

    found = administer(work)
    if as_json:
        write_json(found)
    else:
        write_table(found, _COLUMNS, "There are no keys.")


@app.command()
def show(
    key: Annotated[str, typer.Argument(help="Id of the key.", metavar="ID")], as_json: arguments.AsJson = False
) -> None:
    """Show a key without its secret."""

    async def work(admin: Administration) -> ApiKey | Problem:
        return await key_changes.find_key(_desk(admin), key)

    _write(fields_of(administer(work)), as_json)


@app.command("set")
def set_(
    key: Annotated[str, typer.Argument(help="Id of the key.", metavar="ID")],
    label: Annotated[str | None, typer.Option(help="What it is for.")] = None,
    limit: Annotated[
        str | None, typer.Option("--limit", help="USD it may spend in all, or none.", metavar="USD")
    ] = None,
    models: Models = None,
    as_json: arguments.AsJson = False,
) -> None:
    """Change what a key is for, what it may spend, and on which models."""
    change = KeyChange(
        UNSET if label is None else label,
        UNSET if limit is None else arguments.read_limit(limit),
        model_allow_list=UNSET if models is None else arguments.read_list(models),
    )

    async def work(admin: Administration) -> ApiKey | Problem:
        return await key_changes.change_key(_desk(admin), key, change)

    _write(fields_of(administer(work)), as_json)


@app.command()
def rotate(
    key: Annotated[str, typer.Argument(help="Id of the key.", metavar="ID")], as_json: arguments.AsJson = False
) -> None:
    """Give a key another secret. It is shown now and never again; the old one ends within seconds."""

    async def work(admin: Administration) -> CreatedKey | Problem:
        return await key_changes.rotate_key(_desk(admin), key)

    made = administer(work)
    _write({"key": made.key, **fields_of(made.api_key)}, as_json)


@app.command()
def revoke(
    key: Annotated[str, typer.Argument(help="Id of the key.", metavar="ID")], as_json: arguments.AsJson = False
) -> None:
    """Refuse a key from now on, in every process within seconds."""

    async def work(admin: Administration) -> ApiKey | Problem:
        return await keys.revoke_key(admin.store, key, admin.now)

    revoked = administer(work)
    if as_json:
        write_json(revoked)
    else:
        write_record(fields_of(revoked))


def _desk(admin: Administration) -> KeyDesk:
    return KeyDesk(Office(admin.store, OPERATOR, admin.now), None, admin.pepper())


def _write(fields: dict[str, Any], as_json: bool) -> None:
    if as_json:
        write_json(fields)
    else:
        write_record(fields)
