"""Errors as Anthropic writes them: types and statuses, a body, and the event that ends a stream.

Source: response-path 5.12; the types are those of Anthropic's API reference.
"""

from typing import Final

from msgspec.json import encode

from tollway.wire.json_body import JsonObject, JsonValue

_API_ERROR: Final = "api_error"
_STATUS_OF_TYPE: Final = {
    "invalid_request_error": 400,
    "authentication_error": 401,
    "billing_error": 402,
    "permission_error": 403,
    "not_found_error": 404,
    "request_too_large": 413,
    "rate_limit_error": 429,
    _API_ERROR: 500,
    "timeout_error": 504,
    "overloaded_error": 529,
}
_TYPE_OF_STATUS: Final = {status: kind for kind, status in _STATUS_OF_TYPE.items()} | {503: "overloaded_error"}


def status_of(event: JsonObject) -> int:
    """The status that an error reported as `{"type":"error","error":{"type":…}}` has as an answer; 500 if unknown."""
    error: JsonValue = event.get("error")
    kind = error.get("type") if isinstance(error, dict) else None
    return _STATUS_OF_TYPE.get(kind, 500) if isinstance(kind, str) else 500


def type_of(status: int) -> str:
    """What a client of Anthropic's is told of a status."""
    known = _TYPE_OF_STATUS.get(status)
    if known:
        return known
    return "invalid_request_error" if 400 <= status < 500 else _API_ERROR


def anthropic_error(message: str, status: int) -> bytes:
    """The body of an answer that failed."""
    return encode({"type": "error", "error": {"type": type_of(status), "message": message}})


def anthropic_error_event(message: str, status: int) -> bytes:
    """The event that ends a stream which did not finish; nothing follows it (guarantees S4)."""
    return b"event: error\ndata: %b\n\n" % anthropic_error(message, status)
