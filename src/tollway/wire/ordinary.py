"""The ordinary answer, read in one decode: plain text, whole counts, nothing rare. The rest is left to `answer.py`.

A second reader of the same bytes exists only because the first costs ten times as much; a property test holds the two
to the same result. Nothing here is allowed to be more lenient than there.
"""

import re
from decimal import Decimal
from typing import Annotated, Final

from msgspec import Meta, MsgspecError, Raw, Struct
from msgspec.json import Decoder

from tollway.wire.usage import COST_USD_MAX, TOKENS_MAX, Usage

_ABSENT: Final = Raw(b"")
_Count = Annotated[int, Meta(ge=0, le=TOKENS_MAX)]
_Label = Annotated[str, Meta(min_length=1, max_length=500)]
_PLAIN_COST: Final = re.compile(rb"[0-9]{1,9}(?:\.[0-9]{1,20})?").fullmatch
_NUL: Final = b"\\u0000"  # the only spelling that JSON allows; labels are free of it


class _PromptDetails(Struct):
    cached_tokens: _Count = 0
    cache_write_tokens: _Count = 0
    cache_creation_input_tokens: Raw = _ABSENT


class _CompletionDetails(Struct):
    reasoning_tokens: _Count = 0


class _CostDetails(Struct):
    upstream_inference_cost: Raw = _ABSENT


class OrdinaryUsage(Struct):
    """A usage object with both counts and no surprises."""

    prompt_tokens: _Count
    completion_tokens: _Count
    prompt_tokens_details: _PromptDetails | None = None
    completion_tokens_details: _CompletionDetails | None = None
    cost: Raw = _ABSENT
    cost_details: _CostDetails | None = None
    is_byok: bool | None = None


class OrdinaryMessage(Struct):
    """A message that is text alone; the rest must be absent."""

    content: str | None = None
    refusal: None = None
    reasoning: str | None = None
    reasoning_content: str | None = None
    reasoning_details: Raw = _ABSENT
    tool_calls: None = None
    function_call: None = None
    audio: None = None
    images: None = None
    provider_metadata: None = None


class OrdinaryChoice(Struct):
    message: OrdinaryMessage
    finish_reason: _Label | None = None


class OrdinaryAnswer(Struct):
    id: _Label
    model: _Label
    choices: list[OrdinaryChoice]
    provider: _Label | None = None
    usage: OrdinaryUsage | None = None
    error: Raw = _ABSENT


_answer: Final = Decoder(OrdinaryAnswer)


def read_ordinary(body: bytes) -> OrdinaryAnswer | None:
    """The answer, or None when something in it is not ordinary."""
    try:
        answer = _answer.decode(body)
    except (MsgspecError, ValueError, RecursionError):
        return None
    return None if answer.error or _NUL in body else answer


def usage_of(ordinary: OrdinaryUsage) -> Usage | None:
    """The same as `read_usage` for an ordinary object, None when a cost is not plainly written."""
    prompt, completion = ordinary.prompt_tokens, ordinary.completion_tokens
    details = ordinary.prompt_tokens_details
    cached = written = reasoning = 0
    if details:
        if details.cache_creation_input_tokens:
            return None
        cached = min(details.cached_tokens, prompt)
        written = min(details.cache_write_tokens, prompt - cached)
    if ordinary.completion_tokens_details:
        reasoning = min(ordinary.completion_tokens_details.reasoning_tokens, completion)
    cost_usd = _cost(ordinary.cost) if ordinary.cost else None
    upstream_usd = _cost(ordinary.cost_details.upstream_inference_cost) if ordinary.cost_details else None
    if cost_usd is _UNPLAIN or upstream_usd is _UNPLAIN:
        return None
    return Usage(prompt, completion, cached, written, reasoning, cost_usd, upstream_usd, ordinary.is_byok)


_UNPLAIN: Final = Decimal(-1)


def _cost(raw: Raw) -> Decimal | None:
    text = bytes(raw)
    if _PLAIN_COST(text):
        cost = Decimal(text.decode())
        return cost if cost <= COST_USD_MAX else _UNPLAIN
    return None if not text or text == b"null" else _UNPLAIN
