"""`tollway credits`: put money on accounts and see what is left."""

from typing import Annotated

import typer

from tollway.admin import credits as use_cases
from tollway.admin.credits import NewCredit, Owner, Refund
from tollway.admin.records import AccountBalance, Credited, CreditTransaction, Page
from tollway.cli import arguments
from tollway.cli.database import Administration, administer
from tollway.cli.output import fields_of, write_json, write_record, write_table
from tollway.errors import Problem
from tollway.money import Microdollars

app = typer.Typer(help="Credits of users and organizations.", no_args_is_help=True)
_COLUMNS = ("id", "amount_microdollars", "is_free", "description", "credit_category", "user_id", "created_at")

Amount = Annotated[Microdollars, typer.Argument(parser=arguments.read_amount, help="USD.", metavar="USD")]
Description = Annotated[str, typer.Option(help="What it is for.")]
Category = Annotated[str | None, typer.Option(help="Group of grants.")]


@app.command()
def grant(
    amount: Amount,
    user: arguments.OfUser = None,
    organization: arguments.OfOrganization = None,
    description: Description = "",
    category: Category = None,
    once_per_category: Annotated[bool, typer.Option("--once-per-category", help="A user gets one of it.")] = False,
    expires: Annotated[
        str | None, typer.Option(help="When what is left is taken back: a date, or 30d.", metavar="DATE")
    ] = None,
    idempotency_key: Annotated[
        str | None, typer.Option(help="An id of your own: with the same one nothing is booked again.", metavar="ID")
    ] = None,
    as_json: arguments.AsJson = False,
) -> None:
    """Give credits for free."""
    expires_at = None if expires is None else arguments.read_instant(expires)
    owner = _owner(user, organization)
    _credit(
        NewCredit(owner, amount, True, description, category, idempotency_key, expires_at, once_per_category), as_json
    )


@app.command()
def pay(
    amount: Amount,
    user: arguments.OfUser = None,
    organization: arguments.OfOrganization = None,
    description: Description = "",
    payment_id: Annotated[
        str | None, typer.Option(help="Id of the payment: with the same one nothing is booked again.", metavar="ID")
    ] = None,
    as_json: arguments.AsJson = False,
) -> None:
    """Record a payment. With --org and --user the organization gets the credits that the user paid for."""
    _credit(NewCredit(_owner(user, organization), amount, False, description, None, payment_id), as_json)


@app.command()
def balance(
    user: arguments.OfUser = None, organization: arguments.OfOrganization = None, as_json: arguments.AsJson = False
) -> None:
    """Show what an account was credited, spent, holds, and has left."""

    owner = _owner(user, organization)

    async def work(admin: Administration) -> AccountBalance | Problem:
        return await use_cases.show_balance(admin.store, owner)

    found = administer(work)
    if as_json:
        write_json(found)
    else:
        write_record(fields_of(found))


@app.command("list")
def list_(
    user: arguments.OfUser = None,
    organization: arguments.OfOrganization = None,
    limit: arguments.Limit = 100,
    before: arguments.Before = None,
    as_json: arguments.AsJson = False,
) -> None:
    """List grants and payments of an account, newest first."""

    owner = _owner(user, organization)

    async def work(admin: Administration) -> tuple[CreditTransaction, ...] | Problem:
        return await use_cases.list_credits(admin.store, owner, Page(limit, before))

    found = administer(work)
    if as_json:
        write_json(found)
    else:
        write_table(found, _COLUMNS, "There are no credits.")


@app.command()
def refund(
    amount: Amount,
    user: arguments.OfUser = None,
    organization: arguments.OfOrganization = None,
    description: Description = "",
    as_json: arguments.AsJson = False,
) -> None:
    """Record that money was given back: at most what is left."""
    order = Refund(_owner(user, organization), amount, description)

    async def work(admin: Administration) -> Credited | Problem:
        return await use_cases.refund_credit(admin.store, order, admin.now)

    _write(administer(work), as_json)


def _credit(order: NewCredit, as_json: bool) -> None:
    async def work(admin: Administration) -> Credited | Problem:
        return await use_cases.add_credit(admin.store, order, admin.now)

    _write(administer(work), as_json)


def _write(credited: Credited, as_json: bool) -> None:
    if as_json:
        write_json({**fields_of(credited.transaction), "is_repeat": credited.is_repeat, "balance": credited.balance})
    else:
        write_record({**fields_of(credited.transaction), **fields_of(credited.balance)})
        if credited.is_repeat:
            typer.echo("This was booked before; nothing was done.", err=True)


def _owner(user: str | None, organization: str | None) -> Owner:
    if user is None and organization is None:
        raise typer.BadParameter("name an account: --user or --org")
    return Owner(user, organization)
