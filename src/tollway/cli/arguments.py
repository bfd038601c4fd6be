"""Arguments and options that several commands share, and how their text is read."""

from datetime import UTC, datetime, timedelta
from typing import Annotated

import typer

from tollway.clock import utc_now
from tollway.money import Microdollars, parse_usd


def read_amount(text: str) -> Microdollars:
    """`12.50` or `$12.50`; finer than a micro-dollar is wrong usage."""
    try:
        return parse_usd(text)
    except (ValueError, ArithmeticError) as error:
        raise typer.BadParameter(str(error)) from None


def read_limit(text: str) -> Microdollars | None:
    """An amount, or `none`."""
    return None if text.strip().lower() == "none" else read_amount(text)


def read_list(text: str) -> tuple[str, ...]:
    """Entries between commas; `none` for none at all."""
    return () if text.strip().lower() == "none" else tuple(text.split(","))


def read_days(text: str) -> int | None:
    """A number of days, or `none`."""
    if text.strip().lower() == "none":
        return None
    try:
        return int(text)
    except ValueError:
        raise typer.BadParameter(f"{text!r} is no number of days") from None


def read_instant(text: str) -> datetime:
    """`2027-01-31`, `2027-01-31T12:00:00Z`, or `30d` from now. Without a zone it is UTC."""
    if text[:-1].isdecimal() and text.endswith("d") and len(text) <= 6:
        return utc_now() + timedelta(days=int(text[:-1]))
    try:
        value = datetime.fromisoformat(text)
    except ValueError:
        raise typer.BadParameter(f"{text!r} is neither a date nor a number of days such as 30d") from None
    return value.astimezone(UTC) if value.tzinfo else value.replace(tzinfo=UTC)


AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Limit = Annotated[int, typer.Option("--limit", help="Rows at most, up to 200.")]
Before = Annotated[str | None, typer.Option("--before", help="Rows that follow the row with this id.", metavar="ID")]
User = Annotated[str, typer.Argument(help="Id or e-mail address.", metavar="USER")]
Organization = Annotated[str, typer.Argument(help="Id or name.", metavar="ORGANIZATION")]
OfUser = Annotated[str | None, typer.Option("--user", help="Id or e-mail address of the user.", metavar="USER")]
OfOrganization = Annotated[
    str | None, typer.Option("--org", help="Id or name of the organization.", metavar="ORGANIZATION")
]
