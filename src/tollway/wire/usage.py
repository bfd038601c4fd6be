"""Usage: token counts and cost as an upstream reports them, or nothing when what it reports is not usable.

The counts are read from the JSON text itself (`msgspec.Raw`), so one wrong field never hides the others and no binary
float is ever involved. Source: response-path 6.4, guarantees M3, M9.
"""

import re
from decimal import Decimal
from typing import Final

from msgspec import MsgspecError, Raw, Struct
from msgspec.json import Decoder

TOKENS_MAX: Final = 10**12  # beyond any answer; what is larger is not a count
COST_USD_MAX: Final = Decimal(10**9)

# A bounded JSON number: no digits or exponents that make exact arithmetic expensive.
_NUMBER: Final = re.compile(rb"-?\d{1,30}(?:\.\d{1,60})?(?:[eE][+-]?\d{1,2})?")
_COUNT: Final = re.compile(rb"\d{1,12}")
_ABSENT: Final = Raw(b"")


class Usage(Struct, frozen=True):
    """Token counts of one answer; `cached_tokens` and `cache_write_tokens` are parts of `prompt_tokens`,
    `reasoning_tokens` of `completion_tokens`. Costs are USD, exactly as written by the upstream; None: not written.
    `is_counted` is False when the upstream wrote a cost or details but no token counts at all."""

    prompt_tokens: int
    completion_tokens: int
    cached_tokens: int = 0
    cache_write_tokens: int = 0
    reasoning_tokens: int = 0
    cost_usd: Decimal | None = None
    upstream_cost_usd: Decimal | None = None
    is_byok: bool | None = None
    is_counted: bool = True


NO_USAGE: Final = Usage(0, 0)


class _Usage(Struct):
    prompt_tokens: Raw = _ABSENT
    completion_tokens: Raw = _ABSENT
    prompt_tokens_details: Raw = _ABSENT
    completion_tokens_details: Raw = _ABSENT
    cost: Raw = _ABSENT
    cost_details: Raw = _ABSENT
    is_byok: Raw = _ABSENT


class _Details(Struct):
    """The three nested objects of a usage; their names do not overlap."""

    cached_tokens: Raw = _ABSENT
    cache_write_tokens: Raw = _ABSENT
    cache_creation_input_tokens: Raw = _ABSENT
    reasoning_tokens: Raw = _ABSENT
    upstream_inference_cost: Raw = _ABSENT


_usage: Final = Decoder(_Usage)
_details: Final = Decoder(_Details)
_NO_DETAILS: Final = _Details()


def read_usage(raw: bytes) -> Usage | None:
    """The usage that `raw`, the JSON text of a `usage` object, reports; None when that is "not reported".

    Not reported: not a JSON object; a token count that is negative, fractional, a bool, a string or beyond TOKENS_MAX
    (`12.0` and `1.2e1` are counts); nothing in it but nulls and unknown names. A missing or null count is 0 if anything
    else is there. A bad detail (cached, written, reasoning tokens) counts as 0, a bad cost (negative, no number,
    beyond COST_USD_MAX) as None.

    Details are cut to what contains them: cached to prompt, written to prompt − cached, reasoning to completion tokens.
    Where no prompt count is written, cached + written is the least it can have been, and is taken.
    """
    try:
        usage = _usage.decode(raw)
    except (MsgspecError, ValueError, RecursionError):
        return None
    prompt, completion = read_count(usage.prompt_tokens), read_count(usage.completion_tokens)
    if prompt == BAD_COUNT or completion == BAD_COUNT:
        return None
    prompt_details, completion_details = _read(usage.prompt_tokens_details), _read(usage.completion_tokens_details)
    cached = _detail(prompt_details.cached_tokens)
    written = _detail(_first(prompt_details.cache_write_tokens, prompt_details.cache_creation_input_tokens))
    cost, upstream_cost = read_cost(usage.cost), read_cost(_read(usage.cost_details).upstream_inference_cost)
    is_counted = prompt is not None or completion is not None
    if not (is_counted or cached or written or cost is not None or upstream_cost is not None):
        return None
    if prompt is None:
        prompt = cached + written
    cached = min(cached, prompt)
    completion = completion or 0
    return Usage(
        prompt,
        completion,
        cached,
        min(written, prompt - cached),
        min(_detail(completion_details.reasoning_tokens), completion),
        cost,
        upstream_cost,
        {b"true": True, b"false": False}.get(bytes(usage.is_byok).strip()),
        is_counted,
    )


BAD_COUNT: Final = -1


def read_count(raw: Raw) -> int | None:
    """A token count; None when absent or null, BAD_COUNT when it is anything but a whole number of 0…TOKENS_MAX."""
    text = bytes(raw).strip()
    if _COUNT.fullmatch(text):
        return int(text)
    if text in (b"", b"null"):
        return None
    number = _decimal(text)
    if number is None or not 0 <= number <= TOKENS_MAX or number != int(number):
        return BAD_COUNT
    return int(number)


def _detail(raw: Raw) -> int:
    count = read_count(raw)
    return 0 if count is None or count == BAD_COUNT else count


def read_cost(raw: Raw) -> Decimal | None:
    """A cost in USD, exactly as written; None when it is none: absent, negative, no number or beyond COST_USD_MAX."""
    cost = read_decimal(raw)
    return None if cost is None or not 0 <= cost <= COST_USD_MAX else cost.copy_abs()  # abs() rounds


def read_decimal(raw: Raw) -> Decimal | None:
    """A number, exactly as written; None when it is none, or one so long that exact arithmetic would be expensive."""
    return _decimal(bytes(raw).strip())


def _decimal(text: bytes) -> Decimal | None:
    return Decimal(text.decode()) if _NUMBER.fullmatch(text) else None


def _first(preferred: Raw, other: Raw) -> Raw:
    return other if bytes(preferred).strip() in (b"", b"null") else preferred


def _read(raw: Raw) -> _Details:
    """A nested object, already known to be valid JSON; anything else has no details."""
    return _details.decode(raw) if bytes(raw).lstrip().startswith(b"{") else _NO_DETAILS
