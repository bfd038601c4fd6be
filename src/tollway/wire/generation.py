"""What an upstream tells about an answer afterwards, at `GET /generation?id=`. Source: response-path 6.5."""

from decimal import Decimal, localcontext
from typing import Final

from msgspec import MsgspecError, Raw, Struct
from msgspec.json import Decoder

from tollway.money import EXACT, Microdollars, round_usd
from tollway.wire.answer import label
from tollway.wire.usage import BAD_COUNT, COST_USD_MAX, Usage, read_cost, read_count, read_decimal

OWN_KEY_FACTOR: Final = 20  # an aggregator charges a twentieth for a caller's own key

_ABSENT: Final = Raw(b"")
_FLAGS: Final = {b"false": False, b"true": True}
_IS_BYOK: Final = {b"": False, b"null": False, b"false": False, b"true": True}


class Generation(Struct, frozen=True):
    """`usage.cost_usd` is what the answer cost, whoever's key it was. `cost_is_reckoned`: it is OWN_KEY_FACTOR times
    the aggregator's fee, because the price at the owner of the key was not told. `cache_discount` is µ$, below 0 for
    what was saved; times are as the upstream gives them. None: not told, or not believably."""

    usage: Usage
    cost_is_reckoned: bool = False
    cache_discount: Microdollars | None = None
    upstream_id: str | None = None
    inference_provider: str | None = None
    latency: float | None = None
    moderation_latency: float | None = None
    generation_time: float | None = None
    cancelled: bool | None = None


class _Data(Struct):
    native_tokens_prompt: Raw = _ABSENT
    native_tokens_completion: Raw = _ABSENT
    native_tokens_cached: Raw = _ABSENT
    native_tokens_cache_creation: Raw = _ABSENT
    native_tokens_reasoning: Raw = _ABSENT
    total_cost: Raw = _ABSENT
    upstream_inference_cost: Raw = _ABSENT
    is_byok: Raw = _ABSENT
    cache_discount: Raw = _ABSENT
    upstream_id: Raw = _ABSENT
    provider_name: Raw = _ABSENT
    latency: Raw = _ABSENT
    moderation_latency: Raw = _ABSENT
    generation_time: Raw = _ABSENT
    cancelled: Raw = _ABSENT


class _Body(Struct):
    data: _Data


_body: Final = Decoder(_Body)


def read_generation(body: bytes) -> Generation | None:
    """Tokens and cost as the upstream has recorded them; None when the body does not say, or not believably: when a
    count or `is_byok` is something else than that, or neither counts nor cost are there.

    Counts and costs are read as in a `usage`; so a bad cost is one that was not told.
    """
    try:
        data = _body.decode(body).data
    except (MsgspecError, ValueError, RecursionError):
        return None
    told = [
        read_count(raw)
        for raw in (
            data.native_tokens_prompt,
            data.native_tokens_completion,
            data.native_tokens_cached,
            data.native_tokens_cache_creation,
            data.native_tokens_reasoning,
        )
    ]
    is_byok, is_counted = _IS_BYOK.get(bytes(data.is_byok).strip()), told[0] is not None or told[1] is not None
    if BAD_COUNT in told or is_byok is None:
        return None
    total, inference = read_cost(data.total_cost), read_cost(data.upstream_inference_cost)
    cost = _own_key_cost(total, inference) if is_byok else total
    if cost is None and not is_counted:
        return None
    prompt, completion, cached, written, reasoning = (count or 0 for count in told)
    cached = min(cached, prompt)
    usage = Usage(
        prompt,
        completion,
        cached,
        min(written, prompt - cached),
        min(reasoning, completion),
        cost_usd=cost,
        is_counted=is_counted,
    )
    return Generation(
        usage,
        is_byok and inference is None and cost is not None,
        _discount(data.cache_discount),
        label(data.upstream_id),
        label(data.provider_name),
        _number(data.latency),
        _number(data.moderation_latency),
        _number(data.generation_time),
        _FLAGS.get(bytes(data.cancelled).strip()),
    )


def _number(raw: Raw) -> float | None:
    """A finite number."""
    number = read_decimal(raw)
    return None if number is None else float(number)


def _discount(raw: Raw) -> Microdollars | None:
    amount = read_decimal(raw)
    return None if amount is None or abs(amount) > COST_USD_MAX else round_usd(amount)


def _own_key_cost(total: Decimal | None, inference: Decimal | None) -> Decimal | None:
    if inference is not None or total is None:
        return inference
    with localcontext(EXACT):
        return total * OWN_KEY_FACTOR
