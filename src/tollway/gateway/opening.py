"""What the journal is told of an attempt before it is sent. Source: guarantees M4.

Caller and offer are the same for many requests, so their parts are encoded once; an entry costs about a microsecond.
"""

from typing import Final

from msgspec import Raw

from tollway.billing.payer import payer_part
from tollway.billing.recovery import encode_entry, offer_part
from tollway.gateway.exchange import Exchange
from tollway.routing.plan import Candidate
from tollway.routing.precedence import is_byok

_OFFERS_KEPT: Final = 10_000
_offers: Final[dict[tuple[str, str, str, str], Raw]] = {}


def opening_entry(exchange: Exchange, candidate: Candidate) -> bytes:
    """An encoded `Opened`, field by field in its order."""
    hold, request, plan = exchange.hold, exchange.request, exchange.plan
    assert hold
    return encode_entry(
        (
            payer_part(exchange.caller, hold.usage_day),
            _offer_part(exchange.model.id, candidate),
            hold.usage_day,
            hold.worst_case,
            hold.amounts,
            candidate.worst_case,
            plan.prompt_tokens_max,
            plan.completion_tokens_max * request.choices,
            request.requested_model,
            request.stream,
            plan.route,
            exchange.attempts,
            exchange.received_at,
            is_byok(exchange.own),
            exchange.particulars.journaled,
        )
    )


def _offer_part(model_id: str, candidate: Candidate) -> Raw:
    upstream, offer = candidate.upstream, candidate.offer
    key = (upstream.id, model_id, offer.upstream_model, offer.price.version)
    part = _offers.get(key)
    if part is None:
        if len(_offers) >= _OFFERS_KEPT:
            _offers.clear()
        part = _offers[key] = offer_part(
            upstream.id, model_id, offer.upstream_model, offer.price, upstream.provider.reports_cost
        )
    return part
