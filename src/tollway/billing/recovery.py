"""What the journal keeps of a request, and what becomes of one whose worker died. Pure.

`Opened` is written before an upstream is called, `Progressed` while output flows, `Closed` at the end. The three
together are an `Outcome`; without a `Closed` the charge is decided from what had passed, like that of any answer that
broke off (guarantees M4, M5).
"""

from datetime import date, datetime
from decimal import Decimal
from typing import Final

from msgspec import Raw, Struct
from msgspec.msgpack import Decoder, Encoder

from tollway.billing.charge import Charge, Ending, decide_charge
from tollway.billing.ledger import Basis, BudgetRef, Hold, Outcome, UsageRecord
from tollway.billing.particulars import NO_PARTICULARS, Particulars, stored_model
from tollway.catalog.model import Price
from tollway.money import Microdollars
from tollway.wire.answer import Answer
from tollway.wire.usage import Usage


class PayerPart(Struct, frozen=True, array_like=True):
    """Who calls and what pays: the same for many requests, so it is encoded once."""

    user_id: str
    organization_id: str | None
    key_id: str | None
    budgets: tuple[BudgetRef, ...]


class OfferPart(Struct, frozen=True, array_like=True):
    """Who serves and at which price: likewise."""

    provider_id: str
    model_id: str
    upstream_model: str
    price_version: str
    effective_from: datetime
    prompt_usd: Decimal
    completion_usd: Decimal
    cached_usd: Decimal | None
    cache_write_usd: Decimal | None
    request_usd: Decimal
    image_usd: Decimal
    reports_cost: bool


class Opened(Struct, frozen=True, array_like=True):
    """One attempt, about to be sent. `payer` and `offer` are the parts above, encoded.

    `hold_worst_case` and `amounts` are the hold's; `worst_case` is that of this candidate.
    """

    payer: Raw
    offer: Raw
    usage_day: date
    hold_worst_case: int
    amounts: tuple[int, ...]
    worst_case: int
    prompt_tokens_max: int
    completion_tokens_max: int
    requested_model: str
    streamed: bool
    route: tuple[str, ...]
    attempts: tuple[str, ...]  # earlier ones
    created_at: datetime
    is_byok: bool = False  # absent from entries of earlier versions
    particulars: Particulars = NO_PARTICULARS  # absent in entries of versions that did not keep them


class Progressed(Struct, frozen=True, array_like=True):
    """How far a stream has come. `prompt_text_bytes` is what an estimate of the prompt is made of."""

    status: int
    answer: Answer
    prompt_text_bytes: int


class Closed(Struct, frozen=True, array_like=True):
    """How it ended: what an Outcome has besides what was known when it was opened."""

    usage: Usage
    basis: Basis
    charge: int
    absorbed: int
    market_cost: int
    list_cost: int
    reported_cost: int | None
    model: str
    inference_provider: str | None
    message_id: str | None
    finish_reason: str | None
    status_code: int
    has_error: bool
    cancelled: bool
    attempts: tuple[str, ...]
    latency_ms: int


encode_entry: Final = Encoder().encode
_opened: Final = Decoder(Opened).decode
_progressed: Final = Decoder(Progressed).decode
_closed: Final = Decoder(Closed).decode
_payer: Final = Decoder(PayerPart).decode
_offer: Final = Decoder(OfferPart).decode


def offer_part(provider_id: str, model_id: str, upstream_model: str, price: Price, reports_cost: bool) -> Raw:
    """An OfferPart, encoded."""
    part = OfferPart(
        provider_id,
        model_id,
        upstream_model,
        price.version,
        price.effective_from,
        price.prompt_usd,
        price.completion_usd,
        price.cached_usd,
        price.cache_write_usd,
        price.request_usd,
        price.image_usd,
        reports_cost,
    )
    return Raw(encode_entry(part))


def closed_of(outcome: Outcome) -> Closed:
    record = outcome.record
    return Closed(
        outcome.usage,
        outcome.basis,
        outcome.charge,
        outcome.absorbed,
        outcome.market_cost,
        outcome.list_cost,
        outcome.reported_cost,
        record.model,
        record.inference_provider,
        record.message_id,
        record.finish_reason,
        record.status_code,
        record.has_error,
        record.cancelled,
        record.attempts,
        record.latency_ms,
    )


def recover(request_id: str, opened: bytes, progressed: bytes | None, closed: bytes | None) -> Outcome:
    """The outcome of a journaled request. Raises msgspec.MsgspecError, ValueError (text that is not UTF-8, a negative
    price) or ArithmeticError (an amount beyond 64 bits) when an entry is not what it should be."""
    entry = _opened(opened)
    payer, offer = _payer(entry.payer), _offer(entry.offer)
    hold = Hold(
        request_id,
        Microdollars(entry.hold_worst_case),
        payer.budgets,
        tuple(Microdollars(amount) for amount in entry.amounts),
        entry.usage_day,
    )
    end = _closed(closed) if closed else _interrupted(entry, offer, _progressed(progressed) if progressed else None)
    return Outcome(
        hold=hold,
        usage=end.usage,
        basis=end.basis,
        charge=Microdollars(end.charge),
        absorbed=Microdollars(end.absorbed),
        market_cost=Microdollars(end.market_cost),
        list_cost=Microdollars(end.list_cost),
        reported_cost=None if end.reported_cost is None else Microdollars(end.reported_cost),
        record=_record(entry, payer, offer, end),
    )


def _interrupted(entry: Opened, offer: OfferPart, progress: Progressed | None) -> Closed:
    """The end of a request whose worker died: charged for what had passed, as the last word in the journal tells."""
    answer = progress.answer if progress else Answer()
    charge = decide_charge(_ending(entry, offer, progress, answer))
    return Closed(
        charge.usage,
        _basis(charge),
        charge.charge,
        charge.absorbed,
        charge.market_cost,
        charge.list_cost,
        charge.reported_cost,
        stored_model(answer.model, offer.model_id, entry.particulars),
        answer.inference_provider,
        answer.message_id,
        answer.finish_reason,
        progress.status if progress else 0,
        True,
        False,
        (*entry.attempts, f"{offer.provider_id}:interrupted"),
        0,
    )


def _basis(charge: Charge) -> Basis:
    """What is absorbed or charged nothing stays what it is; a charge says that it was cut short."""
    return Basis.INTERRUPTED if charge.charge else charge.basis


def _ending(entry: Opened, offer: OfferPart, progress: Progressed | None, answer: Answer) -> Ending:
    price = Price(
        offer.price_version,
        offer.effective_from,
        offer.prompt_usd,
        offer.completion_usd,
        offer.cached_usd,
        offer.cache_write_usd,
        offer.request_usd,
        offer.image_usd,
    )
    return Ending(
        price=price,
        worst_case=Microdollars(entry.worst_case),
        prompt_tokens_max=entry.prompt_tokens_max,
        completion_tokens_max=entry.completion_tokens_max,
        prompt_text_bytes=progress.prompt_text_bytes if progress else 0,
        status=progress.status if progress else 0,
        usage=answer.usage,
        has_output=answer.has_output,
        finish_reason=answer.finish_reason,
        has_error=answer.has_error,
        interrupted=True,
        deltas=answer.output_units or 0,
        text_bytes=answer.text_bytes,
        reports_cost=offer.reports_cost,
        is_free=price.is_free or entry.hold_worst_case == 0,
        is_byok=entry.is_byok,
    )


def _record(entry: Opened, payer: PayerPart, offer: OfferPart, end: Closed) -> UsageRecord:
    return UsageRecord(
        user_id=payer.user_id,
        organization_id=payer.organization_id,
        key_id=payer.key_id,
        provider_id=offer.provider_id,
        requested_model=entry.requested_model.replace("\0", ""),
        model=end.model,
        upstream_model=offer.upstream_model,
        inference_provider=end.inference_provider,
        message_id=end.message_id,
        finish_reason=end.finish_reason,
        status_code=end.status_code,
        streamed=entry.streamed,
        has_error=end.has_error,
        cancelled=end.cancelled,
        price_version=offer.price_version,
        prompt_usd=offer.prompt_usd,
        completion_usd=offer.completion_usd,
        route=entry.route,
        attempts=end.attempts,
        prompt_tokens_max=entry.prompt_tokens_max,
        completion_tokens_max=entry.completion_tokens_max,
        latency_ms=end.latency_ms,
        created_at=entry.created_at,
        particulars=entry.particulars,
    )
