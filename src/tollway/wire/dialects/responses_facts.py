"""What Responses answers say of themselves, in the words of Chat Completions: usage, finish reasons, errors.

Source: response-path 5.11 and 5.12.
"""

from typing import Final

from msgspec.json import encode

from tollway.wire.dialects.chat_output import CONTENT_FILTER, LENGTH, STOP, TOOL_CALLS, UsageShape
from tollway.wire.dialects.provider_error import ProviderError
from tollway.wire.dialects.reading import as_object, as_text
from tollway.wire.dialects.refusal import reason_phrase
from tollway.wire.json_body import JsonObject
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


def finish_reason(response: JsonObject, has_calls: bool) -> str:
    """response: that of the last event, or the whole answer."""
    cut = as_object(response.get("incomplete_details")).get("reason")
    return _REASONS.get(as_text(cut), TOOL_CALLS if has_calls else STOP)


def usage_of(response: JsonObject) -> Usage | None:
    """None when the provider reported none."""
    usage = response.get("usage")
    if not isinstance(usage, dict):
        return None
    renamed = {
        "prompt_tokens": usage.get("input_tokens"),
        "completion_tokens": usage.get("output_tokens"),
        "prompt_tokens_details": usage.get("input_tokens_details"),
        "completion_tokens_details": usage.get("output_tokens_details"),
    }
    return read_usage(encode(renamed))


def error_of(holder: JsonObject) -> ProviderError:
    """holder: an `error` event, or a response that failed; both name the error in their own way."""
    error = holder.get("error")
    error = error if isinstance(error, dict) else holder
    status = next((_STATUSES[code] for name in ("code", "type") if (code := as_text(error.get(name))) in _STATUSES), 0)
    status = status or _FAILED
    return ProviderError(read_error(encode({"error": error})).message or reason_phrase(status), status)
