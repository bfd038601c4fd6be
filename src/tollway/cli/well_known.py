"""Logs in by a command that an organization's host names: shown, confirmed, run without a shell.

Source: catalog-and-clients D.3.
"""

import asyncio
import shlex
import subprocess
import sys
from typing import Final

import typer

from tollway.cli.client_session import give_up
from tollway.cli.key_input import usable_key
from tollway.client.credentials import WellKnownCredential
from tollway.client.errors import ClientError
from tollway.client.gateways import Gateway, is_private_connection
from tollway.client.well_known import PATH, TokenCommand, read_well_known

_COMMAND_S: Final = 600


def log_in_as_told(gateway: Gateway, root: str) -> WellKnownCredential | None:
    """None: the host at `root` names no command, or it is not certain that it is that host. Ends the command when what
    the host says is not confirmed, or fails."""
    if not is_private_connection(root):
        return None
    try:
        told = asyncio.run(_ask(gateway, root))
    except ClientError as error:
        give_up(f"{root}{error}")
    return WellKnownCredential(key=told.variable, token=_token(root, told)) if told else None


async def _ask(gateway: Gateway, root: str) -> TokenCommand | None:
    from tollway.upstream.model_list import open_client  # lazy: half a second that only this way of logging in costs
    from tollway.upstream.question import ask  # lazy: as above

    with open_client() as client:
        return read_well_known(*await ask(client, gateway, root, "GET", PATH))


def _token(root: str, told: TokenCommand) -> str:
    if not sys.stdin.isatty():
        give_up(f"{root} names a command to run, and there is no terminal to confirm it on")
    typer.echo(f"{root} says that this command prints a token for {told.variable}:\n  {shlex.join(told.arguments)}")
    typer.confirm("Run it?", abort=True)
    try:
        done = subprocess.run(  # noqa: S603  (a person has just read and confirmed it)
            told.arguments, stdout=subprocess.PIPE, check=True, timeout=_COMMAND_S
        )
    except (OSError, subprocess.SubprocessError) as error:
        give_up(f"the command failed ({type(error).__name__})")
    token = usable_key(done.stdout.decode(errors="replace"))
    return token or give_up("the command printed no token")
