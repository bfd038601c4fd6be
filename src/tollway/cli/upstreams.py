"""`tollway upstreams`: custom upstreams of users and organizations. Keys are entered, and never shown again."""

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Annotated, Any, TypeVar

import msgspec
import typer
from msgspec import UNSET

from tollway.admin import upstream_probes, upstreams
from tollway.admin.ownership import OPERATOR, find_owner
from tollway.admin.upstream_probes import Asking, Probed
from tollway.admin.upstream_records import CustomUpstream, NewUpstream, SealedUpstream, UpstreamChange
from tollway.admin.upstreams import UpstreamDesk
from tollway.cli import arguments
from tollway.cli.control import open_management
from tollway.cli.database import Administration, administer
from tollway.cli.entered_key import KeyFile, read_key
from tollway.cli.master_keys import keys_that_seal
from tollway.cli.output import fields_of, refuse, show_probe, write_json, write_record, write_table
from tollway.errors import Problem
from tollway.identity.owned import Owner

app = typer.Typer(help="Custom upstreams of users and organizations.", no_args_is_help=True)
_COLUMNS = ("id", "provider_id", "display_name", "base_url", "is_enabled", "last_four", "header_names")

T = TypeVar("T")
Named = Annotated[str, typer.Argument(help="Provider id, or id, of the upstream.", metavar="UPSTREAM")]
Name = Annotated[str | None, typer.Option("--name", help="What people call it.")]
Url = Annotated[str | None, typer.Option("--url", help="Base URL, up to and without /chat/completions.")]
HeadersFile = Annotated[Path | None, typer.Option(help="JSON file with headers that every request gets.")]
ModelsFile = Annotated[Path | None, typer.Option(help='JSON file with its models: {"models": [{"id": …}]}.')]


@app.command("list")
def list_(
    user: arguments.OfUser = None, organization: arguments.OfOrganization = None, as_json: arguments.AsJson = False
) -> None:
    """List the upstreams of a user or an organization, newest first."""

    async def work(desk: UpstreamDesk, owner: Owner, _: Asking) -> tuple[CustomUpstream, ...] | Problem:
        return await upstreams.list_upstreams(desk, owner)

    found = _at_desk(work, user, organization)
    if as_json:
        write_json([_fields_of(one) for one in found])
    else:
        write_table(found, _COLUMNS, "There are no custom upstreams.")


@app.command()
def add(
    provider_id: Annotated[str, typer.Argument(help="First part of its models' ids.", metavar="PROVIDER_ID")],
    url: Annotated[str, typer.Option("--url", help="Base URL, up to and without /chat/completions.")],
    user: arguments.OfUser = None,
    organization: arguments.OfOrganization = None,
    name: Name = None,
    key_file: KeyFile = None,
    headers_file: HeadersFile = None,
    models_file: ModelsFile = None,
    as_json: arguments.AsJson = False,
) -> None:
    """Add an upstream. Its key is asked for, or read from standard input."""
    headers, models = _read_json(headers_file, None), _read_json(models_file, {})
    order = NewUpstream(provider_id, name or provider_id, url, read_key(key_file), headers, models)

    async def work(desk: UpstreamDesk, owner: Owner, _: Asking) -> CustomUpstream | Problem:
        return await upstreams.create_upstream(desk, owner, order)

    _write(_at_desk(work, user, organization), as_json)


@app.command("set")
def set_(
    upstream: Named,
    user: arguments.OfUser = None,
    organization: arguments.OfOrganization = None,
    provider_id: Annotated[str | None, typer.Option(help="Another first part of its models' ids.")] = None,
    name: Name = None,
    url: Url = None,
    new_key: Annotated[bool, typer.Option("--new-key", help="Ask for another key.")] = False,
    key_file: KeyFile = None,
    headers_file: HeadersFile = None,
    no_headers: Annotated[bool, typer.Option("--no-headers", help="Remove its headers.")] = False,
    models_file: ModelsFile = None,
    as_json: arguments.AsJson = False,
) -> None:
    """Change an upstream. With another scheme, host or port its key and headers must be entered again."""
    change = UpstreamChange(
        provider_id=UNSET if provider_id is None else provider_id,
        display_name=UNSET if name is None else name,
        base_url=UNSET if url is None else url,
        api_key=read_key(key_file) if new_key or key_file else UNSET,
        extra_headers=None if no_headers else _read_json(headers_file, UNSET),
        model_metadata=_read_json(models_file, UNSET),
    )
    _change(upstream, change, user, organization, as_json)


@app.command()
def enable(
    upstream: Named,
    user: arguments.OfUser = None,
    organization: arguments.OfOrganization = None,
    as_json: arguments.AsJson = False,
) -> None:
    """Let requests go there again."""
    _change(upstream, UpstreamChange(is_enabled=True), user, organization, as_json)


@app.command()
def disable(
    upstream: Named,
    user: arguments.OfUser = None,
    organization: arguments.OfOrganization = None,
    as_json: arguments.AsJson = False,
) -> None:
    """Let no new request go there. Its models are as if they were not there."""
    _change(upstream, UpstreamChange(is_enabled=False), user, organization, as_json)


@app.command()
def remove(upstream: Named, user: arguments.OfUser = None, organization: arguments.OfOrganization = None) -> None:
    """Delete an upstream with its secrets."""

    async def work(desk: UpstreamDesk, owner: Owner, _: Asking) -> CustomUpstream | Problem:
        return await upstreams.delete_upstream(desk, owner, upstream)

    _at_desk(work, user, organization)


@app.command("test")
def try_(
    upstream: Named,
    user: arguments.OfUser = None,
    organization: arguments.OfOrganization = None,
    model: Annotated[str | None, typer.Option(help="Model to ask; by default the first one listed.")] = None,
    as_json: arguments.AsJson = False,
) -> None:
    """Send one tiny request. Exit code 1 when it fails."""

    async def work(desk: UpstreamDesk, owner: Owner, ask: Asking) -> Probed | Problem:
        row = await upstreams.find_upstream(desk, owner, upstream)
        if isinstance(row, Problem):
            return row
        place = _place(desk, row)
        if isinstance(place, Problem):
            return place
        return await upstream_probes.try_upstream(ask, place, row, model)

    show_probe(_at_desk(work, user, organization), as_json=as_json)


@app.command()
def discover(
    upstream: Named,
    user: arguments.OfUser = None,
    organization: arguments.OfOrganization = None,
    save: Annotated[bool, typer.Option("--save", help="Make what it lists its models.")] = False,
    as_json: arguments.AsJson = False,
) -> None:
    """Ask an upstream for its models."""

    async def work(desk: UpstreamDesk, owner: Owner, ask: Asking) -> list[dict[str, Any]] | Problem:
        row = await upstreams.find_upstream(desk, owner, upstream)
        place = row if isinstance(row, Problem) else _place(desk, row)
        models = place if isinstance(place, Problem) else await upstream_probes.discover_models(ask, place)
        if isinstance(models, Problem) or not save:
            return models
        change = UpstreamChange(model_metadata={"models": models})
        saved = await upstreams.change_upstream(desk, owner, upstream, change)
        return saved if isinstance(saved, Problem) else models

    found = _at_desk(work, user, organization)
    if as_json:
        write_json({"models": found})
    else:
        for model in found:
            typer.echo(model["id"])


def _place(desk: UpstreamDesk, row: SealedUpstream) -> upstream_probes.Place | Problem:
    return upstream_probes.stored_place(row, desk.rules.outbound, desk.sealer)


def _change(upstream: str, change: UpstreamChange, user: str | None, organization: str | None, as_json: bool) -> None:
    async def work(desk: UpstreamDesk, owner: Owner, _: Asking) -> CustomUpstream | Problem:
        return await upstreams.change_upstream(desk, owner, upstream, change)

    _write(_at_desk(work, user, organization), as_json)


def _at_desk(
    work: Callable[[UpstreamDesk, Owner, Asking], Awaitable[T | Problem]], user: str | None, organization: str | None
) -> T:
    """Run `work` for the owner as the operator, with requests that go the guarded way."""

    async def at_desk(admin: Administration) -> T | Problem:
        owner = await find_owner(admin.store, user, organization)
        if isinstance(owner, Problem):
            return owner
        await keys_that_seal(admin.settings, admin.database, admin.now)
        async with open_management(admin) as management:
            return await work(management.desk(OPERATOR), owner, management.prober)

    return administer(at_desk)


def _read_json(file: Path | None, absent: object) -> object:
    """Ends the command when it is no JSON; nothing of the file is repeated, because headers are secrets."""
    if file is None:
        return absent
    try:
        return msgspec.json.decode(file.read_bytes())
    except OSError as error:
        refuse(f"{file}: {error.strerror}")
    except msgspec.DecodeError:
        refuse(f"{file}: is not JSON")


def _fields_of(one: CustomUpstream) -> dict[str, Any]:
    fields = fields_of(one)
    owner = fields.pop("owner")
    return {**fields, "owner_kind": owner.kind, "owner_id": owner.id}


def _write(one: CustomUpstream, as_json: bool) -> None:
    fields = _fields_of(one)
    if as_json:
        write_json(fields)
        return
    models = fields.pop("model_metadata").get("models", ())
    write_record({**fields, "models": tuple(str(model.get("id")) for model in models)})
