"""`tollway auth`: keys of the providers a developer uses directly. A key is never an argument: processes are listed."""

from collections.abc import Callable, Mapping
from typing import Annotated, Final

import typer

from tollway.cli.client_session import Session, give_up, open_session, tell
from tollway.cli.key_input import Method, ask_for_key, key_from_environment, key_from_stdin
from tollway.cli.output import write_json
from tollway.cli.provider_picker import pick_one, pick_provider
from tollway.client.credentials import (
    HOME,
    ApiCredential,
    Credential,
    Credentials,
    OauthCredential,
    WellKnownCredential,
    normal_provider_id,
)
from tollway.client.errors import ClientError
from tollway.client.freshness import list_prefix
from tollway.client.gateways import Gateway, find_gateway
from tollway.client.keys import masked

app: Final = typer.Typer(no_args_is_help=True, help="Keys of the providers that you use directly from this machine.")


@app.command("list")
def list_(as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False) -> None:
    """Show where keys are stored, for which providers, and which are in the environment; never the keys."""
    session = open_session()
    stored = {name: kind_of(one) for name, one in sorted(session.credentials.entries.items())}
    in_environment = dict(_in_environment(session))
    if as_json:
        write_json({"store": session.store.name, "stored": stored, "environment": in_environment})
        return
    typer.echo(session.store.name)
    for name, kind in stored.items():
        typer.echo(f"{_name(session, name)}  {kind}")
    if in_environment:
        typer.echo("\nEnvironment")
        for name, variable in in_environment.items():
            typer.echo(f"{_name(session, name)}  {variable}")


@app.command()
def login(
    url: Annotated[
        str | None,
        typer.Argument(help="A Tollway, to log in there by a code, or the host of an organization.", metavar="URL"),
    ] = None,
    provider: Annotated[
        str | None, typer.Option("--provider", "-p", help="Id or name; without it you are asked.", metavar="PROVIDER")
    ] = None,
    method: Annotated[
        Method | None,
        typer.Option(
            "--method",
            "-m",
            help="key: typed or pasted, unseen; stdin: from standard input; env: what the provider's variable holds;"
            " device: a code that you approve in a browser (a Tollway).",
        ),
    ] = None,
    key_stdin: Annotated[bool, typer.Option("--key-stdin", help="Short for --method stdin.")] = False,
    organization: Annotated[
        str, typer.Option("--org", help="With device: the organization to act for, by id or name.", metavar="ORG")
    ] = "",
    browser: Annotated[bool, typer.Option(help="With device: open the page.")] = True,
) -> None:
    """Store a key of a provider, readable by you alone. It is never an argument: other users can see those."""
    session = open_session()
    chosen = _chosen(session, provider, url)
    root, told = _at_address(chosen, url, asks_how=provider is None) if url else ("", None)
    if told:
        _store(session, root, told)
        typer.echo(f"Stored the token for {told.key} ({masked(told.token)}) in {session.store.name}")
        return
    provider_id, name = (chosen.id, chosen.name) if isinstance(chosen, Gateway) else (chosen, chosen)
    credential = _credential(session, chosen, Method.STDIN if key_stdin else method, root, organization, browser)
    _store(session, provider_id, credential)
    secret = credential.key if isinstance(credential, ApiCredential) else credential.access
    typer.echo(f"Stored the key of {name} ({masked(secret)}) in {session.store.name}")
    if not session.config.is_enabled(provider_id):
        tell(f"{name} is disabled in your configuration, so nothing uses it yet.")


@app.command()
def logout(
    provider: Annotated[
        str | None, typer.Argument(help="Id or name; without it you are asked.", metavar="PROVIDER")
    ] = None,
) -> None:
    """Remove what is stored for a provider."""
    session = open_session()
    ids = [*session.credentials.entries, *session.credentials.others]
    if provider is None:
        if not ids:
            typer.echo("Not logged in anywhere.")
            return
        provider = ids[pick_one("provider", [_name(session, one) for one in ids])]
    found = find_gateway(session.all_gateways, provider)
    provider_id = provider if provider in ids or not found else found.id
    if normal_provider_id(provider_id) not in ids:
        typer.echo(f"Not logged in to {provider}.")
        return
    _change(session, normal_provider_id(provider_id), lambda held: held.without(provider_id))
    typer.echo(f"Logged out of {_name(session, provider_id)}.")


app.command("ls", hidden=True)(list_)


def kind_of(credential: Credential) -> str:
    """As the store calls it: api, oauth or wellknown."""
    return str(type(credential).__struct_config__.tag)


def _in_environment(session: Session) -> Mapping[str, str]:
    """Provider id → the name of the variable that would be used."""
    found: dict[str, str] = {}
    for one in session.all_gateways.values():
        names = one.access.key_variables if one.config.env is None else one.config.env
        if variable := next((name for name in names if session.environ.get(name, "").strip()), ""):
            found[one.id] = variable
    return found


def _name(session: Session, provider_id: str) -> str:
    known = session.all_gateways.get(provider_id)
    return known.name if known else provider_id


def _chosen(session: Session, provider: str | None, url: str | None) -> Gateway | str:
    if provider is not None:
        return find_gateway(session.all_gateways, provider) or give_up(f'Unknown provider "{provider}"')
    if url is not None:
        own = [one for one in session.all_gateways.values() if one.access.has_device_login]
        return own[0] if own else give_up("no installed provider can be logged in to at an address")
    return pick_provider(session.gateways)


def _at_address(chosen: Gateway | str, url: str, *, asks_how: bool) -> tuple[str, WellKnownCredential | None]:
    """Whom to log in to there; and asks_how: what came of the way that is told there, if it tells one."""
    from tollway.cli.device_login import root_of  # lazy: nothing else of `auth` needs a network
    from tollway.cli.well_known import log_in_as_told  # lazy: see above

    if not isinstance(chosen, Gateway):
        return "", None
    root = root_of(chosen, url)
    return root, log_in_as_told(chosen, root) if root and asks_how else None


def _credential(
    session: Session, chosen: Gateway | str, method: Method | None, root: str, organization: str, opens_browser: bool
) -> ApiCredential | OauthCredential:
    """In the way that was asked for, else by a code where there is that way, else by a key that is typed."""
    known = chosen if isinstance(chosen, Gateway) else None
    has_codes = known is not None and known.access.has_device_login
    name = known.name if known else str(chosen)
    way = method or (Method.DEVICE if has_codes else Method.KEY)
    if way is Method.DEVICE and known and has_codes:
        from tollway.cli.device_login import log_in_by_code, root_of  # lazy: nothing else of `auth` needs a network

        return log_in_by_code(known, root or root_of(known, ""), organization, opens_browser=opens_browser)
    if way is Method.STDIN:
        key = key_from_stdin()
    elif way is Method.ENV and known:
        key = key_from_environment(known, session.environ)
    elif way is Method.KEY:
        key = ask_for_key(name)
    else:
        give_up(f"{name} cannot be logged in to by --method {way.value}")
    return ApiCredential(key=key, metadata={HOME: root} if root else None)


def _store(session: Session, provider_id: str, credential: Credential) -> None:
    _change(session, provider_id, lambda held: held.with_entry(provider_id, credential))


def _change(session: Session, provider_id: str, change: Callable[[Credentials], Credentials]) -> None:
    """Kept lists of models are dropped with it: another account may have others."""
    try:
        session.store.change(change)
    except ClientError as error:
        give_up(str(error))
    session.shelf.forget(list_prefix(provider_id))
