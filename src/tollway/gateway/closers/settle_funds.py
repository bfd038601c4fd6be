"""End the hold: with an outcome when an upstream saw the request, without one when none did.

Where nobody pays (anonymous callers of free models) there is no hold to end and no row to write: what the operator
bears is counted in a metric alone.

Runs before the last bytes of the answer are written, so what a client has seen complete is never forgotten: the outcome
is in the journal then, and goes into the books with the next batch.
"""

from collections.abc import Awaitable
from typing import Final

from tollway.billing.charge import Charge, Ending, decide_charge
from tollway.billing.cost import contradictions
from tollway.billing.ledger import Hold, Outcome, UsageRecord
from tollway.billing.particulars import stored_model
from tollway.billing.store import StoreUnavailableError
from tollway.gateway.exchange import Exchange
from tollway.gateway.reply import Reply
from tollway.gateway.services import Services
from tollway.observability.logs import get_log
from tollway.routing.precedence import is_byok
from tollway.wire.prompt_text import prompt_text_bytes

_UNCACHED_TOKENS_MAX: Final = 100_000

_log = get_log()


def run(exchange: Exchange, services: Services) -> Awaitable[None] | None:
    hold, reply = exchange.hold, exchange.reply
    if reply is None or not reply.was_sent:
        if hold is not None:
            services.funds.release(hold)
        return None
    if hold is None:
        services.metrics.given_away.inc(_decide(exchange, reply).market_cost)
        return None
    exchange.outcome = _outcome_of(exchange, hold, reply, services)
    return _close(exchange.outcome, services)


async def _close(outcome: Outcome, services: Services) -> None:
    try:
        await services.funds.close(outcome)
    except StoreUnavailableError as error:  # neither journal nor books: kept in memory, and settled when they are back
        _log.error("settlement_postponed", request_id=outcome.hold.request_id, error=error)


def _outcome_of(exchange: Exchange, hold: Hold, reply: Reply, services: Services) -> Outcome:
    """What the answer cost and what is stored about it. Values that are wide are made by place, in the order of their
    fields: naming these costs more than making them."""
    charge = _decide(exchange, reply)
    _warn(exchange.id, reply, charge)
    return Outcome(
        hold,
        charge.usage,
        charge.basis,
        charge.charge,
        charge.absorbed,
        charge.market_cost,
        charge.list_cost,
        charge.reported_cost,
        _record(exchange, reply, services.deadlines.now() - exchange.started),
    )


def _warn(request_id: str, reply: Reply, charge: Charge) -> None:
    """Of what an operator should look into; blocks nothing. Source: response-path 6.2, 6.4, 6.7."""
    usage, told = charge.usage, reply.facts.usage
    if usage.prompt_tokens - usage.cached_tokens > _UNCACHED_TOKENS_MAX:
        _log.warning("many_uncached_tokens", request_id=request_id, tokens=usage.prompt_tokens - usage.cached_tokens)
    if told is None:
        if not reply.has_error:
            _log.warning("no_usage", request_id=request_id)
    elif told.is_byok is not False and (told.cost_usd or told.upstream_cost_usd) and _says_whose_key(reply):
        for what in contradictions(told):
            _log.warning("contradicting_costs", request_id=request_id, what=what)


def _says_whose_key(reply: Reply) -> bool:
    """Aggregators tell with each cost whether a key of our own paid it; from anybody else its absence means nothing."""
    return reply.candidate.upstream.provider.generation_lookup


def _decide(exchange: Exchange, reply: Reply) -> Charge:
    charge = decide_charge(_ending(exchange, reply, 0))
    if charge.usage is not reply.facts.usage:  # estimated, so the prompt counts as well: seldom, hence only now
        charge = decide_charge(_ending(exchange, reply, _prompt_bytes(exchange)))
    return charge


def _prompt_bytes(exchange: Exchange) -> int:
    if exchange.prompt_text_bytes is None:
        exchange.prompt_text_bytes = prompt_text_bytes(exchange.request.body)
    return exchange.prompt_text_bytes


def _ending(exchange: Exchange, reply: Reply, prompt_bytes: int) -> Ending:
    facts, candidate, plan, request = reply.facts, reply.candidate, exchange.plan, exchange.request
    price, hold = candidate.offer.price, exchange.hold
    return Ending(
        price,
        candidate.worst_case,
        plan.prompt_tokens_max,
        plan.completion_tokens_max * request.choices,
        prompt_bytes,
        reply.status,
        facts.usage,
        facts.has_output,
        facts.finish_reason,
        facts.has_error,
        not reply.is_complete,
        facts.output_units or 0,
        facts.text_bytes,
        0,  # images
        candidate.upstream.provider.reports_cost,
        price.is_free or hold is None or hold.worst_case == 0,  # what is free held nothing, so nothing is charged
        is_byok(exchange.own),
    )


def _record(exchange: Exchange, reply: Reply, seconds: float) -> UsageRecord:
    caller, request, plan = exchange.caller, exchange.request, exchange.plan
    facts, offer = reply.facts, reply.candidate.offer
    price = offer.price
    return UsageRecord(
        caller.user_id,
        caller.organization_id,
        caller.key_id,
        reply.candidate.upstream.id,
        request.requested_model.replace("\0", ""),
        stored_model(facts.model, exchange.model.id, exchange.particulars),
        offer.upstream_model,
        facts.inference_provider,
        facts.message_id,
        facts.finish_reason,
        reply.status,
        request.stream,
        reply.has_error,
        exchange.client.gone,
        price.version,
        price.prompt_usd,
        price.completion_usd,
        plan.route,
        tuple(exchange.attempts),
        plan.prompt_tokens_max,
        plan.completion_tokens_max * request.choices,
        round(seconds * 1000),
        exchange.received_at,
        exchange.particulars,
    )
