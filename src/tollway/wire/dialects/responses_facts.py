"""What the Responses API says of an answer, in the words of Chat Completions: usage, finish reasons, errors.

Events that report on the whole answer repeat the request's instructions and tools, so only what is needed of them is
built. Source: response-path 5.11 and 5.12.
"""

from typing import Final

from msgspec import MsgspecError, Raw, Struct
from msgspec.json import Decoder

from tollway.wire.dialects.chat_output import CONTENT_FILTER, LENGTH, STOP, TOOL_CALLS, UsageShape
from tollway.wire.dialects.provider_error import ProviderError
from tollway.wire.dialects.reading import as_object, as_text
from tollway.wire.dialects.refusal import reason_phrase
from tollway.wire.json_body import JsonValue
from tollway.wire.upstream_error import read_error
from tollway.wire.usage import Usage, read_usage

USAGE_SHAPE: Final = UsageShape(reasoning=True)

_REASONS: Final = {"max_output_tokens": LENGTH, "content_filter": CONTENT_FILTER}
_FAILED: Final = 500
# Errors in a stream have no status; these codes, and types, have one elsewhere.
_STATUSES: Final = {
    "rate_limit_exceeded": 429,
    "insufficient_quota": 429,
    "invalid_prompt": 400,
    "invalid_request_error": 400,
    "server_overloaded": 503,
}
_NULL: Final = Raw(b"null")


class ResponsesEvent(Struct):
    """An event of a stream; what it does not have is None. `response` is JSON text."""

    type: JsonValue = None
    delta: JsonValue = None
    item: JsonValue = None
    item_id: JsonValue = None
    output_index: JsonValue = None
    summary_index: JsonValue = None
    response: Raw = _NULL


class ResponsesAnswer(Struct):
    """An answer, whole or as the last event of a stream has it. `usage` and `error` are JSON texts."""

    id: JsonValue = None
    output: JsonValue = None
    incomplete_details: JsonValue = None
    usage: Raw = _NULL
    error: Raw = _NULL

    @property
    def has_error(self) -> bool:
        return bytes(self.error) != b"null"


class _Usage(Struct):
    input_tokens: Raw = _NULL
    output_tokens: Raw = _NULL
    input_tokens_details: Raw = _NULL
    output_tokens_details: Raw = _NULL


class _Error(Struct):
    code: JsonValue = None
    type: JsonValue = None
    error: Raw = _NULL


_event: Final = Decoder(ResponsesEvent).decode
_answer: Final = Decoder(ResponsesAnswer).decode
_usage: Final = Decoder(_Usage).decode
_error: Final = Decoder(_Error).decode


def read_event(data: bytes) -> ResponsesEvent | None:
    """None: not a JSON object. Never raises."""
    try:
        return _event(data)
    except (MsgspecError, ValueError, RecursionError):
        return None


def read_answer(text: bytes | Raw) -> ResponsesAnswer | None:
    """None: not a JSON object. Never raises."""
    try:
        return _answer(text)
    except (MsgspecError, ValueError, RecursionError):
        return None


def finish_reason(answer: ResponsesAnswer, has_calls: bool) -> str:
    cut = as_object(answer.incomplete_details).get("reason")
    return _REASONS.get(as_text(cut), TOOL_CALLS if has_calls else STOP)


def usage_of(answer: ResponsesAnswer) -> Usage | None:
    """None when the provider reported none."""
    try:
        usage = _usage(answer.usage)
    except (MsgspecError, ValueError, RecursionError):
        return None
    return read_usage(
        b'{"prompt_tokens":%b,"completion_tokens":%b,"prompt_tokens_details":%b,"completion_tokens_details":%b}'
        % (usage.input_tokens, usage.output_tokens, usage.input_tokens_details, usage.output_tokens_details)
    )


def error_of(holder: bytes | Raw) -> ProviderError:
    """holder: JSON text of an `error` event or of a response that failed; both name the error in their own way."""
    text = bytes(holder)
    named = _read_error(text)
    if bytes(named.error).startswith(b"{"):
        text = bytes(named.error)
        named = _read_error(text)
    codes = (as_text(named.code), as_text(named.type))
    status = next((_STATUSES[code] for code in codes if code in _STATUSES), _FAILED)
    return ProviderError(read_error(b'{"error":%b}' % text).message or reason_phrase(status), status)


def _read_error(text: bytes) -> _Error:
    try:
        return _error(text)
    except (MsgspecError, ValueError, RecursionError):
        return _Error()
