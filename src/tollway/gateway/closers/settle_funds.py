"""End the hold: with a charge when an upstream answered, without one when nothing was generated.

Runs before the last bytes of the answer are written, so what a client has seen complete is in the books. When the
books cannot be reached the outcome is kept and settled later; its hold stands until then.
"""

from inspect import isawaitable

from tollway.billing.charge import Ending, decide_charge
from tollway.billing.ledger import Outcome, UsageRecord
from tollway.billing.store import StoreUnavailableError
from tollway.gateway.exchange import Exchange
from tollway.gateway.reply import Reply
from tollway.gateway.services import Services
from tollway.observability.logs import get_log
from tollway.wire.prompt_text import prompt_text_bytes

_log = get_log()


async def run(exchange: Exchange, services: Services) -> None:
    if not exchange.has("hold"):
        return
    if not exchange.has("reply") or exchange.reply.status == 0:
        await _release(exchange, services)
        return
    outcome = _outcome_of(exchange, services)
    exchange.outcome = outcome
    try:
        receipt = services.funds.close(outcome)
        if isawaitable(receipt):
            await receipt
    except StoreUnavailableError as error:
        _log.error("settlement_postponed", request_id=exchange.id, error=error)
        services.unsettled.add(outcome)


async def _release(exchange: Exchange, services: Services) -> None:
    try:
        released = services.funds.release(exchange.hold)
        if isawaitable(released):
            await released
    except StoreUnavailableError as error:
        _log.error("release_postponed", request_id=exchange.id, error=error)
        services.unsettled.add(exchange.hold)


def _outcome_of(exchange: Exchange, services: Services) -> Outcome:
    """What the answer cost and what is stored about it."""
    reply = exchange.reply
    charge = decide_charge(_ending(exchange, reply, 0))
    if charge.usage is not reply.facts.usage:  # estimated, so the prompt counts as well: seldom, hence only now
        charge = decide_charge(_ending(exchange, reply, prompt_text_bytes(exchange.request.body)))
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
    caller, facts, price = exchange.caller, reply.facts, reply.candidate.offer.price
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
        attempts=len(exchange.attempts),
        latency_ms=round(seconds * 1000),
        created_at=exchange.received_at,
    )
