"""`tollway secrets`: the master keys that stored secrets are sealed under, and how one is changed while serving."""

from typing import Annotated

import typer

from tollway.admin import secrets
from tollway.admin.secrets import MasterKeyUse, Rewrapped
from tollway.cli import arguments
from tollway.cli.database import Administration, administer
from tollway.cli.output import fields_of, write_json, write_record, write_table
from tollway.errors import Problem
from tollway.identity.master_keys import sealing_keys
from tollway.ids import random_bytes
from tollway.settings import load
from tollway.storage.sql.admin.secrets import SqlSecrets

app = typer.Typer(help="Master keys, and the stored secrets under them.", no_args_is_help=True)
_COLUMNS = ("key_id", "secrets", "is_here", "is_active")


@app.command("list")
def list_(as_json: arguments.AsJson = False) -> None:
    """List master keys by id, with how many secrets need each."""

    async def work(admin: Administration) -> tuple[MasterKeyUse, ...] | Problem:
        return await secrets.list_master_keys(SqlSecrets(admin.database), sealing_keys(load()))

    found = administer(work)
    if as_json:
        write_json(found)
    else:
        write_table(found, _COLUMNS, "There are no keys.")


@app.command()
def rewrap(as_json: arguments.AsJson = False) -> None:
    """Wrap every secret anew under the active master key, the first of `master_keys`. May be run again at any time."""

    async def work(admin: Administration) -> Rewrapped | Problem:
        return await secrets.rewrap_secrets(SqlSecrets(admin.database), sealing_keys(load()), random_bytes)

    done = administer(work)
    if as_json:
        write_json(done)
    else:
        write_record(fields_of(done))
    if done.failed:
        typer.echo("tollway: some secrets do not open with any key that is configured", err=True)
        raise typer.Exit(1)


@app.command()
def retire(
    key: Annotated[str, typer.Argument(help="Id of a master key, or byok_encryption_key.", metavar="ID")],
) -> None:
    """Make sure that a key may be taken out of the settings. Refused while a secret needs it."""

    async def work(admin: Administration) -> Problem | str:
        problem = await secrets.retire_master_key(SqlSecrets(admin.database), sealing_keys(load()), key)
        return problem or f"Nothing needs {key} any more: take it out of the settings."

    typer.echo(administer(work))
