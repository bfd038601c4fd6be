"""What `users set` and `orgs set` have in common: whether an account is topped up by itself, and by how much."""

from typing import Annotated, Any

import typer

from tollway.admin import top_ups
from tollway.admin.credits import Owner
from tollway.admin.office import Office
from tollway.admin.ownership import OPERATOR
from tollway.admin.top_ups import AutoTopUp, TopUpWish
from tollway.billing.notices import top_up_rules
from tollway.cli import arguments
from tollway.cli.database import Administration
from tollway.errors import Problem

Amount = Annotated[
    str | None,
    typer.Option("--auto-top-up", help="USD to ask for when the balance is low, on as it was, or off.", metavar="USD"),
]
Reason = Annotated[str | None, typer.Option(help="Why it is off, such as a declined payment.")]


def read(amount: str | None, reason: str | None) -> TopUpWish | None:
    """None: nothing about it was said."""
    if amount is None:
        if reason is not None:
            raise typer.BadParameter("--auto-top-up-reason goes with --auto-top-up off")
        return None
    if amount.strip().lower() in ("on", "off"):
        return TopUpWish(None, amount.strip().lower() == "on", reason)
    return TopUpWish(arguments.read_amount(amount), None, reason)


async def set_(admin: Administration, owner: Owner, wish: TopUpWish) -> AutoTopUp | Problem:
    office = Office(admin.store, OPERATOR, admin.now)
    return await top_ups.set_top_up(office, owner, wish, top_up_rules(admin.settings.notices))


async def show(admin: Administration, owner: Owner) -> AutoTopUp | Problem:
    return await top_ups.show_top_up(admin.store, owner, top_up_rules(admin.settings.notices))


def for_json(wanted: AutoTopUp) -> AutoTopUp | None:
    """None: it was never set."""
    return None if wanted.amount_microdollars is None else wanted


def fields_of(wanted: AutoTopUp) -> dict[str, Any]:
    """For a record of whose account it is."""
    if wanted.amount_microdollars is None:
        return {"auto_top_up": None}
    return {
        "auto_top_up": "on" if wanted.is_enabled else f"off: {wanted.disabled_reason}",
        "auto_top_up_microdollars": wanted.amount_microdollars,
        "auto_top_up_below_microdollars": wanted.below_microdollars,
        "auto_top_up_attempt_started_at": wanted.attempt_started_at,
    }
