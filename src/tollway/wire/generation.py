"""What an upstream tells about an answer afterwards, at `GET /generation?id=`. Source: response-path 6.5."""

from decimal import Decimal, localcontext
from typing import Any, Final

from msgspec import MsgspecError, Raw, Struct
from msgspec.json import Decoder

from tollway.money import EXACT
from tollway.wire.usage import COST_USD_MAX, TOKENS_MAX, Usage

OWN_KEY_FACTOR: Final = (
    20  # an aggregator charges a twentieth for a caller's own key; without the real price that is it
)

_ABSENT: Final = Raw(b"")


class _Generation(Struct):
    native_tokens_prompt: int | None = None
    native_tokens_completion: int | None = None
    native_tokens_cached: int | None = None
    native_tokens_cache_creation: int | None = None
    native_tokens_reasoning: int | None = None
    total_cost: Raw = _ABSENT
    upstream_inference_cost: Raw = _ABSENT
    is_byok: bool | None = None


class _Body(Struct):
    data: _Generation


_body: Final = Decoder(_Body)
_number: Final = Decoder(Decimal)


def read_generation(body: bytes) -> Usage | None:
    """Tokens and cost as the upstream has recorded them; None when the body does not say, or not believably.

    `cost_usd` is what the answer cost, whoever's key it was.
    """
    try:
        found = _body.decode(body).data
        total, inference = _usd(found.total_cost), _usd(found.upstream_inference_cost)
    except (MsgspecError, ValueError, ArithmeticError, RecursionError):
        return None
    counts = [
        found.native_tokens_prompt,
        found.native_tokens_completion,
        found.native_tokens_cached,
        found.native_tokens_cache_creation,
        found.native_tokens_reasoning,
    ]
    prompt, completion, cached, written, reasoning = (count or 0 for count in counts)
    if not all(0 <= count <= TOKENS_MAX for count in (prompt, completion, cached, written, reasoning)):
        return None
    cached = min(cached, prompt)
    return Usage(
        prompt,
        completion,
        cached,
        min(written, prompt - cached),
        min(reasoning, completion),
        cost_usd=_cost(found, total, inference),
        is_counted=counts[0] is not None or counts[1] is not None,
    )


def _cost(found: _Generation, total: Decimal | None, inference: Decimal | None) -> Decimal | None:
    if not found.is_byok:
        return total
    if inference is not None or total is None:
        return inference
    with localcontext(EXACT):
        return total * OWN_KEY_FACTOR


def _usd(raw: Raw) -> Decimal | None:
    """Raises ValueError for what is no believable cost."""
    text: Any = bytes(raw)
    if text in (b"", b"null"):
        return None
    cost = _number.decode(raw)
    if not cost.is_finite() or not 0 <= cost <= COST_USD_MAX or len(text) > 60:
        raise ValueError("not a cost")
    return cost
