"""`tollway explain`: one request from the books: who served it, what it cost, and every step of the arithmetic."""

from collections.abc import Iterator
from decimal import Decimal, localcontext
from typing import Annotated

import typer

from tollway.catalog.model import Price
from tollway.cli.database import Administration, administer
from tollway.cli.output import write_json
from tollway.errors import Code, Problem
from tollway.money import EXACT, format_usd
from tollway.settings import load
from tollway.storage.sql import explanation
from tollway.storage.sql.entries import Entry
from tollway.storage.sql.explanation import Explained, Line
from tollway.storage.sql.usage import UsageRow

_BASES = {
    "reported": "the upstream reported it",
    "estimated": "the upstream reported nothing usable; the least it can have been",
    "interrupted": "the answer broke off; what had passed until then",
    "absorbed": "no answer to pay for; the operator bears what the upstream bills",
    "free": "the model is free",
    "byok": "the upstream bills the caller's own key",
}
_RULES = {
    "custom_upstream": "an endpoint of the caller's own",
    "own_keys": "the caller's own keys for the model's inference providers",
    "custom_llm": "a model that the organization was given",
    "split": "divided traffic, and this request is on the second provider's side",
    "hosted_model": "a free model at the gateway that hosts it",
    "default": "no rule above it applies: the model's providers in their order",
}


def explain(
    request_id: Annotated[str, typer.Argument(help="The x-request-id of the answer.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Show how a request was routed, priced, held and charged, from stored facts alone."""

    async def work(admin: Administration) -> Explained | Problem:
        found = await explanation.explain(admin.database, request_id)
        return found or Problem(Code.NOT_FOUND, _not_here(request_id))

    found = administer(work)
    if as_json:
        write_json(found.as_fields)
        return
    for heading, told in _told(found.row, found.price, found.entries, found.lines):
        for place, text in enumerate(told):
            typer.echo(f"{heading if place == 0 else '':<12}{text}")


def _not_here(request_id: str) -> str:
    journals = load().state_dir / "journal"
    return (
        f"request {request_id} is not in the books (what has just ended may still be in {journals}; "
        "of a refused one the log's line has the code, and the rule as its detail)"
    )


def _told(
    row: UsageRow, price: Price | None, entries: tuple[Entry, ...], lines: list[Line]
) -> Iterator[tuple[str, list[str]]]:
    yield "Request", [f"{row.id}, {row.created_at:%Y-%m-%d %H:%M:%S} UTC, {row.latency_ms} ms"]
    yield "Caller", [_caller(row)]
    yield "Model", [f"asked for {row.requested_model}; {row.upstream_model} at {row.provider_id}; answered {row.model}"]
    yield "Rule", [f"{row.rule}: {_RULES.get(row.rule, 'unknown here')}" if row.rule else "not stored"]
    yield "Route", [f"{place}. {candidate}" for place, candidate in enumerate(row.route, 1)]
    yield "Attempts", [f"{place}. {attempt}" for place, attempt in enumerate(row.attempts, 1)] or ["none"]
    yield "Answer", [_answer(row)]
    yield "Tokens", [_tokens(row)]
    yield "Price", [_price(row, price)]
    yield "Arithmetic", _sum(row, lines)
    yield "Reported", [_reported(row)]
    yield "Hold", [_hold(row)]
    yield "Charge", _charge(row)
    yield "Entries", [_entry(one) for one in entries] or ["none"]


def _caller(row: UsageRow) -> str:
    parts = [f"user {row.user_id}"]
    if row.organization_id:
        parts.append(f"for organization {row.organization_id}")
    if row.key_id:
        parts.append(f"key {row.key_id}")
    return f"{', '.join(parts)}; paid from {', '.join(row.budgets)}"


def _answer(row: UsageRow) -> str:
    parts = [f"status {row.status_code}" if row.status_code else "no answer", "streamed" if row.streamed else "whole"]
    parts.append(f"finish reason {row.finish_reason}" if row.finish_reason else "no finish reason")
    parts += [word for word, is_so in (("client left", row.cancelled), ("error", row.has_error)) if is_so]
    if row.inference_provider:
        parts.append(f"served by {row.inference_provider}")
    return ", ".join(parts) + f"; the upstream calls it {row.message_id or 'nothing'}"


def _tokens(row: UsageRow) -> str:
    return (
        f"{row.prompt_tokens} prompt ({row.cached_tokens} cached, {row.cache_write_tokens} written to the cache), "
        f"{row.completion_tokens} completion ({row.reasoning_tokens} reasoning)"
    )


def _price(row: UsageRow, price: Price | None) -> str:
    if price is None:
        return f"{row.price_version} (not stored any more)"
    return f"{row.price_version}, in force since {price.effective_from:%Y-%m-%d}"


def _sum(row: UsageRow, lines: list[Line]) -> list[str]:
    if not lines:
        return [f"list cost {format_usd(row.list_cost_microdollars)}"]
    with localcontext(EXACT):
        total = sum((line.worth_usd for line in lines), Decimal(0))
    told = [f"{one.count} {one.what} × ${one.price_usd:f} = ${one.worth_usd:f}" for one in lines]
    return [*told, f"sum ${total:f}, rounded half up: list cost {format_usd(row.list_cost_microdollars)}"]


def _reported(row: UsageRow) -> str:
    return "no cost" if row.reported_cost_microdollars is None else format_usd(row.reported_cost_microdollars)


def _hold(row: UsageRow) -> str:
    return (
        f"{format_usd(row.hold_microdollars)} of a worst case of {format_usd(row.worst_case_microdollars)} "
        f"(at most {row.prompt_tokens_max} prompt and {row.completion_tokens_max} completion tokens)"
    )


def _charge(row: UsageRow) -> list[str]:
    told = [f"{format_usd(row.cost_microdollars)} ({row.basis}: {_BASES[row.basis]})"]
    if row.absorbed_microdollars:
        told.append(f"the operator bears {format_usd(row.absorbed_microdollars)}")
    if row.reconciled_at:
        corrected = row.cost_microdollars + row.corrected_microdollars
        absorbed = row.absorbed_microdollars + row.corrected_absorbed_microdollars
        told.append(
            f"corrected {row.reconciled_at:%Y-%m-%d %H:%M:%S} UTC from the upstream's own record: "
            f"{format_usd(corrected)}, the operator bears {format_usd(absorbed)}"
        )
    return told


def _entry(one: Entry) -> str:
    return f"{one.kind}: {format_usd(one.amount_microdollars)} from {one.debit} to {one.credit}"
