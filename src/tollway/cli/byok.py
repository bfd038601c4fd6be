"""`tollway byok`: keys that users and organizations bring along. A key is typed in or read, never an argument."""

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Annotated, TypeVar

import typer

from tollway.admin import own_key_probes, own_keys
from tollway.admin.own_keys import Desk
from tollway.admin.ownership import OPERATOR, find_owner
from tollway.admin.records import StoredOwnKey
from tollway.admin.upstream_probes import Probed
from tollway.catalog.endpoints import EndpointsError, read_endpoints
from tollway.cli import arguments
from tollway.cli.control import open_management
from tollway.cli.database import Administration, administer
from tollway.cli.entered_key import KeyFile, read_key
from tollway.cli.master_keys import keys_that_seal
from tollway.cli.output import fields_of, refuse, show_probe, write_json, write_record, write_table
from tollway.errors import Problem
from tollway.identity.master_keys import sealing_keys
from tollway.identity.owned import Owner
from tollway.ids import random_bytes
from tollway.settings import load
from tollway.storage.presets import load_preset
from tollway.storage.sql.endpoints import SqlEndpoints

app = typer.Typer(help="Keys of users and organizations for inference providers.", no_args_is_help=True)
_COLUMNS = ("id", "provider_id", "last_four", "is_enabled", "created_at", "updated_at", "created_by")

T = TypeVar("T")
Provider = Annotated[str, typer.Argument(help="Inference provider, such as anthropic.", metavar="PROVIDER")]
Key = Annotated[str, typer.Argument(help="Id of the key, or its provider.", metavar="KEY")]


@app.command("list")
def list_(
    user: arguments.OfUser = None, organization: arguments.OfOrganization = None, as_json: arguments.AsJson = False
) -> None:
    """List the keys of a user or an organization, oldest first, without their secrets."""

    async def work(admin: Administration, owner: Owner) -> tuple[StoredOwnKey, ...] | Problem:
        return await own_keys.list_own_keys(admin.store, OPERATOR, owner)

    found = _for_owner(work, user, organization)
    if as_json:
        write_json([_fields(key) for key in found])
    else:
        write_table(found, _COLUMNS, "There are no keys.")


@app.command()
def add(
    provider: Provider,
    user: arguments.OfUser = None,
    organization: arguments.OfOrganization = None,
    key_file: KeyFile = None,
    as_json: arguments.AsJson = False,
) -> None:
    """Store a key, sealed. For bedrock it is a JSON object with accessKeyId, secretAccessKey and region."""
    text = read_key(key_file)
    _change(
        user, organization, as_json, lambda desk, owner: own_keys.add_own_key(desk, owner, provider, text), seals=True
    )


@app.command()
def replace(
    key: Key,
    user: arguments.OfUser = None,
    organization: arguments.OfOrganization = None,
    key_file: KeyFile = None,
    as_json: arguments.AsJson = False,
) -> None:
    """Store another key for the same provider in its place."""
    text = read_key(key_file)
    _change(
        user, organization, as_json, lambda desk, owner: own_keys.replace_own_key(desk, owner, key, text), seals=True
    )


@app.command()
def enable(
    key: Key,
    user: arguments.OfUser = None,
    organization: arguments.OfOrganization = None,
    as_json: arguments.AsJson = False,
) -> None:
    """Use a key again."""
    _change(user, organization, as_json, lambda desk, owner: own_keys.enable_own_key(desk, owner, key, enabled=True))


@app.command()
def disable(
    key: Key,
    user: arguments.OfUser = None,
    organization: arguments.OfOrganization = None,
    as_json: arguments.AsJson = False,
) -> None:
    """Keep a key and do not use it: its models are served, and paid for, as without it."""
    _change(user, organization, as_json, lambda desk, owner: own_keys.enable_own_key(desk, owner, key, enabled=False))


@app.command()
def remove(
    key: Key,
    user: arguments.OfUser = None,
    organization: arguments.OfOrganization = None,
    as_json: arguments.AsJson = False,
) -> None:
    """Delete a key for good."""
    _change(user, organization, as_json, lambda desk, owner: own_keys.delete_own_key(desk, owner, key))


@app.command("test")
def try_(
    key: Key,
    user: arguments.OfUser = None,
    organization: arguments.OfOrganization = None,
    as_json: arguments.AsJson = False,
) -> None:
    """Send one tiny request with a key, at its owner's expense. Exit code 1 when it fails."""

    async def work(admin: Administration, owner: Owner) -> Probed | Problem:
        async with open_management(admin) as management:
            return await own_key_probes.try_own_key(management.key_probes, _desk(admin), owner, key)

    show_probe(_for_owner(work, user, organization), as_json=as_json)


@app.command()
def models(
    key: Key,
    user: arguments.OfUser = None,
    organization: arguments.OfOrganization = None,
    as_json: arguments.AsJson = False,
) -> None:
    """List the models of the catalog that a key can serve."""

    async def work(admin: Administration, owner: Owner) -> list[str] | Problem:
        async with open_management(admin) as management:
            return await own_key_probes.list_key_models(management.key_probes, _desk(admin), owner, key)

    found = _for_owner(work, user, organization)
    if as_json:
        write_json({"models": found})
    else:
        for model in found:
            typer.echo(model)


@app.command()
def endpoints(
    file: Annotated[Path, typer.Argument(help='{"<model>": {"endpoints": [{"tag": "<provider>"}]}}', metavar="FILE")],
    as_json: arguments.AsJson = False,
) -> None:
    """Take over which inference providers serve which model, in place of what is stored. Acts within five minutes."""
    try:
        found = read_endpoints(file.read_bytes())
    except OSError as error:
        refuse(f"{file}: {error.strerror}")
    except EndpointsError as error:
        refuse(f"{file}: {error}")

    async def work(admin: Administration) -> int:
        await SqlEndpoints(admin.database).replace_endpoints(found)
        return len(found)

    count = administer(work)
    if as_json:
        write_json({"models": count})
    else:
        write_record({"models": count})


def _change(
    user: str | None,
    organization: str | None,
    as_json: bool,
    change: Callable[[Desk, Owner], Awaitable[StoredOwnKey | Problem]],
    *,
    seals: bool = False,
) -> None:
    async def work(admin: Administration, owner: Owner) -> StoredOwnKey | Problem:
        if seals:
            await keys_that_seal(admin.settings, admin.database, admin.now)
        return await change(_desk(admin), owner)

    fields = _fields(_for_owner(work, user, organization))
    if as_json:
        write_json(fields)
    else:
        write_record(fields)


def _for_owner(
    work: Callable[[Administration, Owner], Awaitable[T | Problem]], user: str | None, organization: str | None
) -> T:
    async def for_owner(admin: Administration) -> T | Problem:
        owner = await find_owner(admin.store, user, organization)
        return owner if isinstance(owner, Problem) else await work(admin, owner)

    return administer(for_owner)


def _desk(admin: Administration) -> Desk:
    settings = load()
    provider_ids = load_preset(settings.preset).own_keys.provider_ids
    return Desk(admin.store, sealing_keys(settings), random_bytes, provider_ids, OPERATOR, admin.now)


def _fields(key: StoredOwnKey) -> dict[str, object]:
    fields = fields_of(key)
    owner = fields.pop("owner")
    return {**fields, "owner_kind": owner.kind, "owner_id": owner.id}
