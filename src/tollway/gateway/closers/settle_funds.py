"""End the hold: with an outcome when an upstream saw the request, without one when none did.

Runs before the last bytes of the answer are written, so what a client has seen complete is never forgotten: the outcome
is in the journal then, and goes into the books with the next batch.
"""

from collections.abc import Awaitable

from tollway.billing.charge import Ending, decide_charge
from tollway.billing.ledger import Outcome, UsageRecord
from tollway.billing.store import StoreUnavailableError
from tollway.gateway.exchange import Exchange
from tollway.gateway.reply import Reply
from tollway.gateway.services import Services
from tollway.observability.logs import get_log
from tollway.wire.prompt_text import prompt_text_bytes

_log = get_log()


def run(exchange: Exchange, services: Services) -> Awaitable[None] | None:
    if not exchange.has("hold"):
        return None
    if not (exchange.has("reply") and exchange.reply.was_sent):
        services.funds.release(exchange.hold)
        return None
    exchange.outcome = _outcome_of(exchange, services)
    return _close(exchange.outcome, services)


async def _close(outcome: Outcome, services: Services) -> None:
    try:
        await services.funds.close(outcome)
    except StoreUnavailableError as error:  # neither journal nor books: kept in memory, and settled when they are back
        _log.error("settlement_postponed", request_id=outcome.hold.request_id, error=error)


def _outcome_of(exchange: Exchange, services: Services) -> Outcome:
    """What the answer cost and what is stored about it."""
    reply = exchange.reply
    charge = decide_charge(_ending(exchange, reply, 0))
    if charge.usage is not reply.facts.usage:  # estimated, so the prompt counts as well: seldom, hence only now
        charge = decide_charge(_ending(exchange, reply, _prompt_bytes(exchange)))
    return Outcome(
        hold=exchange.hold,
        usage=charge.usage,
        basis=charge.basis,
        charge=charge.charge,
        absorbed=charge.absorbed,
        market_cost=charge.market_cost,
        list_cost=charge.list_cost,
        reported_cost=charge.reported_cost,
        record=_record(exchange, reply, services.deadlines.now() - exchange.started),
    )


def _prompt_bytes(exchange: Exchange) -> int:
    if exchange.prompt_text_bytes is None:
        exchange.prompt_text_bytes = prompt_text_bytes(exchange.request.body)
    return exchange.prompt_text_bytes


def _ending(exchange: Exchange, reply: Reply, prompt_bytes: int) -> Ending:
    facts, candidate, plan, request = reply.facts, reply.candidate, exchange.plan, exchange.request
    return Ending(
        price=candidate.offer.price,
        worst_case=candidate.worst_case,
        prompt_tokens_max=plan.prompt_tokens_max,
        completion_tokens_max=plan.completion_tokens_max * request.choices,
        prompt_text_bytes=prompt_bytes,
        status=reply.status,
        usage=facts.usage,
        has_output=facts.has_output,
        finish_reason=facts.finish_reason,
        has_error=facts.has_error,
        interrupted=not reply.is_complete,
        deltas=facts.output_units or 0,
        text_bytes=facts.text_bytes,
        reports_cost=candidate.upstream.provider.reports_cost,
        is_free=candidate.offer.price.is_free,
    )


def _record(exchange: Exchange, reply: Reply, seconds: float) -> UsageRecord:
    caller, facts, price, plan = exchange.caller, reply.facts, reply.candidate.offer.price, exchange.plan
    assert caller
    return UsageRecord(
        user_id=caller.user_id,
        organization_id=caller.organization_id,
        key_id=caller.key_id,
        provider_id=reply.candidate.upstream.id,
        requested_model=exchange.request.model.replace("\0", ""),
        model=facts.model or exchange.model.id,
        upstream_model=reply.candidate.offer.upstream_model,
        inference_provider=facts.inference_provider,
        message_id=facts.message_id,
        finish_reason=facts.finish_reason,
        status_code=reply.status,
        streamed=exchange.request.stream,
        has_error=facts.has_error or not reply.is_complete,
        cancelled=exchange.client.gone,
        price_version=price.version,
        prompt_usd=price.prompt_usd,
        completion_usd=price.completion_usd,
        route=plan.route,
        attempts=tuple(exchange.attempts),
        prompt_tokens_max=plan.prompt_tokens_max,
        completion_tokens_max=plan.completion_tokens_max * exchange.request.choices,
        latency_ms=round(seconds * 1000),
        created_at=exchange.received_at,
    )
