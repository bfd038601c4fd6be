"""`tollway serve`: check the configuration, start the workers, serve until told to stop.

What needs the database is checked by the first worker: a connection must not be there when workers are forked.
"""

import gc
import sys
from importlib import import_module
from typing import NoReturn

import typer

from tollway.cli.malloc import keep_freed_memory
from tollway.cli.supervisor import Supervisor
from tollway.cli.worker import run_worker
from tollway.http.open_files import allow_open_files
from tollway.providers.registry import load_providers
from tollway.settings import SettingsError, load


def serve() -> None:
    """Serve the gateway. Settings: tollway.toml and TOLLWAY_* (docs/reference/settings.md)."""
    try:
        settings = load()
        load_providers()  # here, as all that workers would load for themselves, so that they share it
        if settings.redis_address():
            import_module("tollway.storage.redis.windows")
        supervisor = Supervisor(settings, run_worker, _announce)
    except SettingsError as error:
        _refuse(str(error))
    except OSError as error:
        _refuse(f"listen: {error.strerror or error}")
    keep_freed_memory()
    allow_open_files()
    gc.collect()
    gc.freeze()  # what is imported is shared with the workers, and stays so while no collection writes into it
    raise typer.Exit(supervisor.run())


def _announce(address: str) -> None:
    typer.echo(f"Tollway serves on http://{address}")
    sys.stdout.flush()


def _refuse(why: str) -> NoReturn:
    typer.echo(f"tollway: {why}", err=True)
    raise typer.Exit(1)
