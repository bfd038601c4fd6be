"""`tollway sync`: read models and prices from their sources now, and say what that changes."""

from typing import Annotated, Final

import typer
from msgspec import to_builtins

from tollway.admin.sync import SyncResult
from tollway.catalog.feed.changes import Changes
from tollway.catalog_sync import SyncParts
from tollway.cli.arguments import AsJson
from tollway.cli.database import Administration, administer
from tollway.cli.output import refuse, write_json
from tollway.deadlines import Deadlines
from tollway.errors import Code, Problem
from tollway.providers.registry import configured
from tollway.storage.presets import load_preset
from tollway.upstream.client import HttpUpstreams

SHOWN_MAX: Final = 50  # lines of each kind of change; --json has all of them
NOTHING: Final = "neither openrouter nor vercel is configured with a key: there is nothing to read"


def sync(
    accept: Annotated[
        bool, typer.Option("--accept", help="Store it although prices leap or half of the models are gone.")
    ] = False,
    rollback: Annotated[bool, typer.Option("--rollback", help="Bring back the snapshot before the newest.")] = False,
    as_json: AsJson = False,
) -> None:
    """Read models and prices from OpenRouter and Vercel, and show what changes. Exit code 1 when nothing is stored."""
    if accept and rollback:
        raise typer.BadParameter("--accept and --rollback exclude each other")

    async def work(admin: Administration) -> SyncResult | Problem:
        settings = admin.settings
        preset = load_preset(settings.preset)
        client = HttpUpstreams(Deadlines(), settings.limits, settings.timeouts)
        parts = SyncParts(settings, preset, admin.database, client, configured(settings, preset=preset))
        try:
            if rollback:
                return await parts.sync().roll_back(_tell)
            if not parts.gateways:
                return Problem(Code.BAD_REQUEST, NOTHING)
            return await parts.sync().run(_tell, accept=accept)
        finally:
            await parts.close()
            client.close()

    result = administer(work)
    if as_json:
        write_json(to_builtins(result))
    else:
        for line in report(result):
            typer.echo(line)
    if result.outcome == "running":
        refuse("another run is under way")
    if result.outcome != "stored":
        raise typer.Exit(1)


def _tell(what: str) -> None:
    typer.echo(what, err=True)


def report(result: SyncResult) -> list[str]:
    """What happened, in lines for people."""
    lines = changes_in_words(result.changes)
    if result.dropped:
        dropped = ", ".join(f"{count} {reason}" for reason, count in sorted(result.dropped.items()))
        lines.append(f"Entries that could not be read: {dropped}.")
    if result.kept:
        lines.append(f"Stay as they were, because their endpoints cannot be had: {', '.join(result.kept)}.")
    match result.outcome:
        case "stored":
            counts = ", ".join(f"{count} of {name}" for name, count in result.models.items())
            lines.append(
                f"Snapshot {result.snapshot_id}: {result.total_providers} providers, {result.total_models} models"
                f" by provider, models {counts or 'of no gateway'}; {result.new_prices} new prices."
            )
        case "held":
            lines += ["Held, nothing is stored. If this is right: tollway sync --accept", *_bullets(result.reasons)]
        case "failed":
            lines += ["Failed, nothing is stored.", *_bullets(result.reasons)]
        case _:
            pass
    return lines


def changes_in_words(changes: Changes) -> list[str]:
    """A line for each change, as many of each kind as anybody reads."""
    prices = [f"~ {one.model} {one.what}: {one.before or 'none'} → {one.now or 'none'} USD" for one in changes.prices]
    return [
        *_some([f"+ {id_}" for id_ in changes.added]),
        *_some([f"- {id_}" for id_ in changes.removed]),
        *_some(prices),
        *_some([f"+ provider {slug}" for slug in changes.providers_added]),
        *_some([f"- provider {slug}" for slug in changes.providers_removed]),
    ]


def _some(lines: list[str]) -> list[str]:
    more = len(lines) - SHOWN_MAX
    return lines if more <= 0 else [*lines[:SHOWN_MAX], f"{lines[0][0]} … and {more} more"]


def _bullets(reasons: tuple[str, ...]) -> list[str]:
    return [f"  {reason}" for reason in reasons]
