"""`tollway ledger`: check the books."""

from typing import Annotated

import typer

from tollway.cli.database import Administration, administer
from tollway.cli.output import write_json
from tollway.money import format_usd
from tollway.storage.sql.books import Difference, verify_books

app = typer.Typer(help="Check the books.", no_args_is_help=True)


@app.callback()
def ledger() -> None:
    """Check the books."""


@app.command()
def verify(
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Recompute every balance, hold and charge from the entries. Exit code 1 while a difference remains."""

    async def work(admin: Administration) -> list[Difference]:
        return await verify_books(admin.database)

    differences = administer(work)
    if as_json:
        write_json({"balanced": not differences, "differences": differences})
    else:
        for found in differences:
            expected, is_ = format_usd(found.expected), format_usd(found.found)
            typer.echo(f"{found.check}: {found.subject}: expected {expected}, found {is_}")
        typer.echo("The books do not balance." if differences else "The books balance.", err=bool(differences))
    raise typer.Exit(1 if differences else 0)
