"""`tollway models`: which models the gateways of this user have, asked for directly, without a gateway of ours."""

import asyncio
import shutil
import sys
from collections.abc import Sequence
from typing import Annotated

import typer

from tollway.cli.client_session import Network, Session, give_up, model_lists, open_session, tell
from tollway.client.errors import ClientError
from tollway.client.gateways import Gateway, find_gateway
from tollway.client.listing_text import json_text, plain_lines, shown_lines
from tollway.client.model_lists import Listed, State


def models(
    provider: Annotated[
        str | None, typer.Argument(help="Only this provider, by id or name, even without a key.", metavar="PROVIDER")
    ] = None,
    verbose: Annotated[bool, typer.Option("--verbose", help="After each id its record as JSON.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    refresh: Annotated[bool, typer.Option("--refresh", help="Ask again, however young the last answer is.")] = False,
) -> None:
    """List the models of every provider that is connected, or of the one that is named.

    A provider is connected when it has a key: from the configuration, `tollway auth login`, or the environment. Without
    one nothing is asked of it. One model per line; on a terminal with context, prices per million tokens and abilities.
    """
    session = open_session()
    if provider is None:
        asked = list(session.gateways.values())
    else:
        found = find_gateway(session.gateways, provider)
        asked = [found or give_up(f"Provider not found: {provider}")]
    try:
        listed = asyncio.run(_ask(session, asked, is_named=provider is not None, refresh=refresh))
    except ClientError as error:
        give_up(str(error))
    _write(listed, verbose, as_json)
    _tell_why(listed, is_named=provider is not None)


async def _ask(session: Session, asked: Sequence[Gateway], *, is_named: bool, refresh: bool) -> list[Listed]:
    with Network() as network:
        lists = model_lists(session, network)
        return await asyncio.gather(*(lists.of(one, is_named=is_named, refresh=refresh) for one in asked))


def _write(listed: Sequence[Listed], verbose: bool, as_json: bool) -> None:
    if as_json:
        typer.echo(json_text(listed))
        return
    if sys.stdout.isatty() and not verbose:
        lines = shown_lines(listed, shutil.get_terminal_size().columns)
    else:
        lines = plain_lines(listed, verbose=verbose)
    text = "\n".join(lines)
    if text:
        typer.echo(text)


def _tell_why(listed: Sequence[Listed], *, is_named: bool) -> None:
    """Hints for the person; who was not named and is not connected is left in peace, unless there is nobody else."""
    for one in listed:
        if one.notice and (is_named or one.state is not State.NOT_CONNECTED):
            tell(one.notice)
    if all(one.state is State.NOT_CONNECTED for one in listed) and not is_named:
        tell("No provider is connected. Enter a key: tollway auth login")
