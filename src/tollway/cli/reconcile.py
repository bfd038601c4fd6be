"""`tollway reconcile`: journals, leases, estimates and books, set right as far as that can be done without a person."""

import asyncio
from collections.abc import Callable
from datetime import date
from typing import Annotated, Any

import typer
from msgspec.structs import asdict

from tollway.billing.store import JournalUnavailableError, SilentWorker
from tollway.catalog.model import Price
from tollway.cli.database import Administration, administer
from tollway.cli.output import fields_of, refuse, write_json
from tollway.deadlines import Deadlines
from tollway.gateway.lookups import LookedUp, look_up
from tollway.gateway.replay import Replayed, replay
from tollway.money import format_usd
from tollway.providers.registry import configured
from tollway.settings import Settings, load
from tollway.storage.journal.dead import dead, journals_in, set_aside_in
from tollway.storage.presets import load_preset
from tollway.storage.sql.billing import SqlBooks
from tollway.storage.sql.books import SUMMED, Difference, verify_books
from tollway.storage.sql.catalog import SqlPrices
from tollway.storage.sql.database import Database
from tollway.storage.sql.usage_sums import sum_day_again
from tollway.upstream.client import HttpUpstreams
from tollway.upstream.fetch import fetch


class _Report:
    """What was done and what remains."""

    def __init__(self) -> None:
        self.replayed = Replayed()
        self.looked_up: LookedUp | None = None  # None: nobody was asked
        self.silent: tuple[SilentWorker, ...] = ()
        self.set_aside: tuple[str, ...] = ()
        self.differences: list[Difference] = []

    @property
    def is_clean(self) -> bool:
        return not (self.silent or self.set_aside or self.differences or self.replayed.unavailable)


def reconcile(
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    offline: Annotated[bool, typer.Option("--offline", help="Ask no upstream about estimates.")] = False,
    abandon: Annotated[
        str, typer.Option(metavar="WORKER", help="Give back the leases of a worker whose journal is lost for ever.")
    ] = "",
) -> None:
    """Settle journals of dead workers, correct estimates from the upstreams' own records, and check the books.

    Safe at any time and in any number of processes; a second run finds nothing to do. Exit code 1 while something
    remains that a person must look at.
    """
    settings = load()

    async def work(admin: Administration) -> _Report:
        return await _reconcile(admin, settings, offline, abandon)

    report = administer(work)
    if as_json:
        write_json(_as_json(report))
    else:
        _show(report, typer.echo)
    raise typer.Exit(0 if report.is_clean else 1)


async def _reconcile(admin: Administration, settings: Settings, offline: bool, abandon: str) -> _Report:
    report, books, root = _Report(), SqlBooks(admin.database), settings.state_dir / "journal"
    try:
        report.replayed = await replay(lambda: dead(root), books)
        if abandon:
            await _abandon(books, abandon, journals_in(root))
        if not offline:
            report.looked_up = await _ask_upstreams(admin, settings, books)
        living = journals_in(root)
    except JournalUnavailableError as error:
        refuse(str(error))
    report.silent = tuple(one for one in await books.silent_workers() if one.id not in living)
    report.set_aside = set_aside_in(root)
    report.differences = await _verified(admin.database)
    return report


async def _verified(database: Database) -> list[Difference]:
    """What the books differ in. Sums per day only repeat what the rows say, so they are made anew."""
    differences = await verify_books(database)
    days = {date.fromisoformat(one.subject) for one in differences if one.check == SUMMED}
    for day in sorted(days):
        await sum_day_again(database, day)
    return await verify_books(database) if days else differences


async def _abandon(books: SqlBooks, worker_id: str, living: frozenset[str]) -> None:
    """Only one that is silent and has no journal here: whatever else is given back could be spent twice."""
    if worker_id in living or worker_id not in {one.id for one in await books.silent_workers()}:
        refuse(f"{worker_id} is not a silent worker without a journal; see `tollway reconcile`")
    await books.retire(worker_id)


async def _ask_upstreams(admin: Administration, settings: Settings, books: SqlBooks) -> LookedUp:
    deadlines, prices = Deadlines(), SqlPrices(admin.database)
    client = HttpUpstreams(deadlines, settings.limits, settings.timeouts)
    deadlines.start(asyncio.get_running_loop())

    async def price_of(version: str) -> Price | None:
        row = await prices.find(version)
        return row.price if row else None

    try:
        upstreams = configured(settings, preset=load_preset(settings.preset))
        return await look_up(
            books, upstreams, price_of, lambda upstream, head: fetch(client, upstream, head), admin.now
        )
    finally:
        client.close()
        deadlines.stop()


def _as_json(report: _Report) -> dict[str, Any]:
    return {
        "clean": report.is_clean,
        "replayed": asdict(report.replayed),
        "looked_up": asdict(report.looked_up) if report.looked_up else None,
        "silent_workers": [fields_of(one) for one in report.silent],
        "set_aside": list(report.set_aside),
        "differences": [fields_of(one) for one in report.differences],
    }


def _show(report: _Report, say: Callable[[str], None]) -> None:
    done, found = report.replayed, report.looked_up
    say(f"Journals:  {done.workers} of dead workers; {done.settled} requests settled, {done.interrupted} cut short.")
    if found:
        moved = f"{'-' if found.amount < 0 else '+'}{format_usd(abs(found.amount))}"
        corrected, unknown, unasked = found.corrected, found.unknown, found.unasked
        say(f"Estimates: {corrected} corrected ({moved}), {unknown} not known yet, {unasked} not asked.")
    else:
        say("Estimates: nobody was asked (--offline).")
    for one in report.silent:
        say(
            f"Worker {one.id} on {one.node} was last seen {one.seen_at:%Y-%m-%d %H:%M:%S} UTC and leases "
            f"{format_usd(one.leased_microdollars)}. Start Tollway there, or run this there; if its disk is lost: "
            f"tollway reconcile --abandon {one.id}"
        )
    if done.unavailable:
        say(f"{done.unavailable} journals of dead workers could not be read; the log says why. They are kept.")
    if done.unreadable or done.refused:
        say(f"{done.unreadable + done.refused} requests could not be settled; the log says why. They are set aside.")
    for name in report.set_aside:
        say(f"Set aside from a journal: {name}. Delete it when it was looked at.")
    for difference in report.differences:
        expected, is_ = format_usd(difference.expected), format_usd(difference.found)
        say(f"{difference.check}: {difference.subject}: expected {expected}, found {is_}")
    say("All is well." if report.is_clean else "Something remains.")
