"""`tollway subscriptions`: who subscribes to what, and what was paid for it."""

from collections.abc import Awaitable, Callable
from datetime import date
from typing import Annotated

import typer

from tollway.admin import subscriptions
from tollway.admin.ownership import OPERATOR
from tollway.admin.records import Page
from tollway.admin.subscription_records import PaidPeriod, StoredSubscription, SubscriptionDetails
from tollway.admin.subscriptions import Counter, NewSubscription, Payment, Wish
from tollway.billing.bonus import Cadence
from tollway.cli import arguments
from tollway.cli.database import Administration, administer
from tollway.cli.output import fields_of, write_json, write_record, write_table
from tollway.errors import Problem
from tollway.storage.presets import load_preset

app = typer.Typer(help="Subscriptions, whose tiers the preset names, and payments for them.", no_args_is_help=True)
_COLUMNS = ("id", "user_id", "external_id", "tier", "cadence", "status", "is_cancelling", "paid_until", "streak_months")
_MONTHS = ("month", "payment_id", "base_microdollars", "bonus_microdollars", "created_at")
_EVENTS = ("created_at", "action", "result", "payload")

One = Annotated[str, typer.Argument(help="Id, or id at the payment provider.", metavar="SUBSCRIPTION")]


@app.command()
def start(
    user: arguments.User,
    tier: Annotated[str, typer.Argument(help="One of the preset's tiers.")],
    external_id: Annotated[str, typer.Option(help="Id at the payment provider, or one of your own.")],
    yearly: Annotated[bool, typer.Option("--yearly", help="A payment is for twelve months.")] = False,
    started_at: Annotated[
        str | None, typer.Option(help="When its first period begins; by default now.", metavar="DATE")
    ] = None,
    streak_months: Annotated[int, typer.Option(help="Months paid in a row before, elsewhere.")] = 0,
    as_json: arguments.AsJson = False,
) -> None:
    """Start a subscription. It waits for its first payment."""
    cadence = Cadence.YEARLY if yearly else Cadence.MONTHLY
    begins = None if started_at is None else arguments.read_instant(started_at)
    order = NewSubscription(user, tier, external_id, cadence, begins, streak_months)
    _show(lambda counter: subscriptions.start_subscription(counter, order), as_json)


@app.command("list")
def list_(
    user: arguments.OfUser = None,
    limit: arguments.Limit = 100,
    before: arguments.Before = None,
    as_json: arguments.AsJson = False,
) -> None:
    """List subscriptions, newest first."""

    async def work(admin: Administration) -> tuple[StoredSubscription, ...] | Problem:
        return await subscriptions.list_subscriptions(admin.store, Page(limit, before), user)

    found = administer(work)
    if as_json:
        write_json(found)
    else:
        write_table(found, _COLUMNS, "There are no subscriptions.")


@app.command()
def show(subscription: One, as_json: arguments.AsJson = False) -> None:
    """Show a subscription, its months and what came of them."""

    async def work(admin: Administration) -> SubscriptionDetails | Problem:
        return await subscriptions.show_subscription(admin.store, subscription)

    found = administer(work)
    if as_json:
        write_json({**fields_of(found.subscription), "months": found.months, "events": found.events})
        return
    write_record(fields_of(found.subscription))
    write_table(found.months, _MONTHS, "Nothing was paid.")
    write_table(found.events, _EVENTS, "Nothing has happened.")


@app.command()
def pay(
    subscription: One,
    payment_id: Annotated[str, typer.Argument(help="Id of the payment: with the same one nothing is booked again.")],
    paid_at: Annotated[str | None, typer.Option(help="When; by default now.", metavar="DATE")] = None,
    month: Annotated[
        str | None,
        typer.Option(help="Which month it is for; by default the next, or the present one.", metavar="YYYY-MM"),
    ] = None,
    as_json: arguments.AsJson = False,
) -> None:
    """Record that a period was paid: its month is credited, and the bonus waits for its use."""
    at = None if paid_at is None else arguments.read_instant(paid_at)
    payment = Payment(payment_id, at, None if month is None else _read_month(month))

    async def work(admin: Administration) -> PaidPeriod | Problem:
        return await subscriptions.record_payment(_counter(admin), subscription, payment)

    paid = administer(work)
    if as_json:
        write_json(paid)
    else:
        rest = {name: value for name, value in fields_of(paid).items() if name != "subscription"}
        write_record({**fields_of(paid.subscription), **rest})


@app.command("set")
def set_(
    subscription: One,
    tier: Annotated[str | None, typer.Option(help="Another tier, from the next bonus and payment on.")] = None,
    status: Annotated[str | None, typer.Option(help="What the payment provider says, such as past_due.")] = None,
    streak_months: Annotated[int | None, typer.Option(help="Months paid in a row.")] = None,
    as_json: arguments.AsJson = False,
) -> None:
    """Change a subscription. What is not named stays."""
    wish = Wish(tier, status, streak_months)
    _show(lambda counter: subscriptions.change_subscription(counter, subscription, wish), as_json)


@app.command()
def cancel(subscription: One, as_json: arguments.AsJson = False) -> None:
    """End a subscription when what was paid is over; at once where nothing is."""
    _show(lambda counter: subscriptions.cancel_subscription(counter, subscription), as_json)


@app.command()
def resume(subscription: One, as_json: arguments.AsJson = False) -> None:
    """Let one go on that was cancelled."""
    _show(lambda counter: subscriptions.resume_subscription(counter, subscription), as_json)


@app.command()
def end(subscription: One, as_json: arguments.AsJson = False) -> None:
    """End a subscription now. What was credited stays, no bonus comes any more."""
    _show(lambda counter: subscriptions.end_subscription(counter, subscription), as_json)


def _show(work: Callable[[Counter], Awaitable[StoredSubscription | Problem]], as_json: bool) -> None:
    async def on(admin: Administration) -> StoredSubscription | Problem:
        return await work(_counter(admin))

    found = administer(on)
    if as_json:
        write_json(found)
    else:
        write_record(fields_of(found))


def _counter(admin: Administration) -> Counter:
    """Raises PresetError, which is a SettingsError."""
    return Counter(admin.store, load_preset(admin.settings.preset).subscriptions, OPERATOR, admin.now)


def _read_month(text: str) -> date:
    try:
        return date.fromisoformat(f"{text}-01" if len(text) == len("2026-11") else text)
    except ValueError:
        raise typer.BadParameter(f"{text!r} is not a month such as 2026-11") from None
