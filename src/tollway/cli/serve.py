"""`tollway serve`: check configuration, keys and schema, then serve until told to stop."""

import asyncio
import sys
from typing import NoReturn

import typer

from tollway.billing.store import StoreUnavailableError
from tollway.cli.start import prepare
from tollway.cli.supervisor import Supervisor
from tollway.settings import SettingsError, load


def serve() -> None:
    """Serve the gateway. Settings: tollway.toml and TOLLWAY_* (docs/reference/settings.md)."""
    try:
        settings = load()
        asyncio.run(prepare(settings))
    except SettingsError as error:
        _refuse(str(error))
    except StoreUnavailableError as error:
        _refuse(f"database_url: {error}")
    except OSError as error:
        _refuse(f"database_url: the file cannot be used: {error.strerror}")
    try:
        supervisor = Supervisor(settings, _announce)
    except OSError as error:
        _refuse(f"listen: {error.strerror or error}")
    raise typer.Exit(supervisor.run())


def _announce(address: str) -> None:
    typer.echo(f"Tollway serves on http://{address}")
    sys.stdout.flush()


def _refuse(why: str) -> NoReturn:
    typer.echo(f"tollway: {why}", err=True)
    raise typer.Exit(1)
