"""`tollway secrets`: the master keys that stored secrets are sealed under, and how one is changed while serving."""

from collections.abc import Iterator
from typing import Annotated

import typer

from tollway.admin import master_keys, secrets
from tollway.admin.master_keys import MasterKeyUse, setting_of
from tollway.admin.secrets import Rewrapped, Rotated
from tollway.cli import arguments
from tollway.cli.database import Administration, administer
from tollway.cli.master_keys import keys_that_seal
from tollway.cli.output import fields_of, write_json, write_record, write_table
from tollway.errors import Problem
from tollway.identity.master_keys import sealing_keys
from tollway.ids import random_bytes
from tollway.storage.sql.admin.secrets import SqlSecrets

app = typer.Typer(help="Master keys, and the stored secrets under them.", no_args_is_help=True)
_COLUMNS = ("key_id", "secrets", "is_here", "is_active", "was_active", "standing")


@app.command("list")
def list_(as_json: arguments.AsJson = False) -> None:
    """List master keys by id, with how many secrets need each."""

    async def work(admin: Administration) -> tuple[MasterKeyUse, ...] | Problem:
        return await master_keys.list_master_keys(SqlSecrets(admin.database), sealing_keys(admin.settings))

    found = administer(work)
    if as_json:
        write_json(found)
    else:
        write_table(found, _COLUMNS, "There are no keys.")


@app.command()
def rewrap(as_json: arguments.AsJson = False) -> None:
    """Wrap every secret anew under the active master key, the first of `master_keys`. May be run again at any time."""

    async def work(admin: Administration) -> Rewrapped | Problem:
        keys = await keys_that_seal(admin.settings, admin.database, admin.now)
        return await secrets.rewrap_secrets(SqlSecrets(admin.database), keys, random_bytes)

    done = administer(work)
    if as_json:
        write_json(done)
    else:
        write_record(fields_of(done))
    if done.failed:
        typer.echo("tollway: some secrets do not open with any key that is configured", err=True)
        raise typer.Exit(1)


@app.command()
def rotate(as_json: arguments.AsJson = False) -> None:
    """Change the master key: wrap every secret anew under the first of `master_keys`, and say what is to be done next.

    May be run at any time and again, while the gateway serves. It changes no settings.
    """

    async def work(admin: Administration) -> Rotated | Problem:
        keys = await keys_that_seal(admin.settings, admin.database, admin.now)
        return await secrets.rotate_master_key(SqlSecrets(admin.database), keys, random_bytes)

    done = administer(work)
    if as_json:
        write_json(done)
    else:
        typer.echo(f"{done.rewrapped} secrets were wrapped anew under {done.active}.")
        for line in _next_steps(done):
            typer.echo(line)
    raise typer.Exit(1 if done.failed else 0)


def _next_steps(done: Rotated) -> Iterator[str]:
    for key_id in done.needed:
        yield f"{key_id or 'Damaged'}: secrets under it do not open; see `tollway secrets list`."
    for key_id in done.retirable:
        yield f"Nothing needs {key_id} any more: take it out of {setting_of(key_id)}, in every process."
    for key_id in done.waiting:
        yield f"{key_id} was never the active one. Once every process has it, put it first, and run this again."
    if not (done.needed or done.retirable or done.waiting):
        yield (
            f"{done.active} is the only key. To change it, put another behind it in master_keys, in every process:"
            f" {done.active}:…,NEW_ID:… (a key is what `openssl rand -base64 32` prints). Then run this again."
        )


@app.command()
def retire(
    key: Annotated[str, typer.Argument(help="Id of a master key, or byok_encryption_key.", metavar="ID")],
) -> None:
    """Make sure that a key may be taken out of the settings. Refused while a secret needs it."""

    async def work(admin: Administration) -> Problem | str:
        problem = await secrets.retire_master_key(SqlSecrets(admin.database), sealing_keys(admin.settings), key)
        return problem or f"Nothing needs {key} any more: take it out of the settings."

    typer.echo(administer(work))


@app.command()
def abandon(
    key: Annotated[str, typer.Argument(help="Id of a master key, or byok_encryption_key.", metavar="ID")],
) -> None:
    """Give up a key that is lost, so that the gateway starts without it. Its secrets answer 503."""

    async def work(admin: Administration) -> Problem | str:
        store, keys = SqlSecrets(admin.database), sealing_keys(admin.settings)
        problem = await master_keys.abandon_master_key(store, keys, key, admin.now)
        return problem or f"{key} is given up. What is sealed under it stays, and opens if the key is found again."

    typer.echo(administer(work))
