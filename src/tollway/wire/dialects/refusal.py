"""What cannot be translated: a refusal, and the error body that it and every failed answer become.

Source: response-path 5.12 and the choices in 5.3 and 5.4.1.
"""

from http import HTTPStatus
from typing import Final

from msgspec import Struct
from msgspec.json import encode

from tollway.wire.json_body import JsonValue
from tollway.wire.upstream_error import read_error

BAD_REQUEST: Final = 400
BAD_GATEWAY: Final = 502
TOO_LONG: Final = "The upstream sent an event that is too long."
_NAMED_CHARS_MAX: Final = 64
_FAILED: Final = "Generation failed"


class Refusal(Struct, frozen=True):
    """The request has something that the other dialect cannot express. `message` is for the caller."""

    message: str
    status: int = BAD_REQUEST

    @property
    def body(self) -> bytes:
        return error_body(self.message, self.status)


class RefusedError(ValueError):
    """Ends a translation from within; the public functions of this package return its refusal instead."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.refusal = Refusal(message)


def unsupported_part(kind: JsonValue) -> RefusedError:
    """A content part of this `type`, as the caller wrote it."""
    return RefusedError(f"Unsupported content part: {_named(kind)}")


def unsupported_role(role: JsonValue) -> RefusedError:
    return RefusedError(f"Unsupported message role: {_named(role)}")


def unsupported_tool(kind: JsonValue) -> RefusedError:
    return RefusedError(f"Unsupported tool: {_named(kind)}")


def _named(kind: JsonValue) -> str:
    return kind[:_NAMED_CHARS_MAX] if isinstance(kind, str) and kind else "unknown"


def error_body(message: str, status: int) -> bytes:
    """`{"error":{"message":…,"code":status,"type":"error"}}`."""
    return encode({"error": {"message": message, "code": status, "type": "error"}})


def provider_error_body(body: bytes, status: int) -> bytes:
    """What a client of ours is told of a provider's refusal: its `error.message`, redacted and cut, else the status in
    words. body: as the provider sent it, or its beginning; status: the provider's."""
    return error_body(read_error(body).message or reason_phrase(status), status)


def reason_phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return _FAILED
