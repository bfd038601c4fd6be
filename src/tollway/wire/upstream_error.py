"""What an upstream says about its refusal, fit to be shown: the message alone, short, without anything secret."""

from typing import Final

from msgspec import MsgspecError, Struct
from msgspec.json import Decoder

from tollway.observability.redact import redact

SHOWN_CHARS_MAX: Final = 1_000


class _Error(Struct):
    message: str | None = None


class _Nested(Struct):
    error: _Error | None = None


class _Flat(Struct):
    error: str | None = None
    message: str | None = None


_nested: Final = Decoder(_Nested)
_flat: Final = Decoder(_Flat)


def read_error(body: bytes) -> str | None:
    """The message of `{"error":{"message":…}}` or `{"error":…,"message":…}`, redacted and cut; None for none."""
    message: str | None = None
    try:
        nested = _nested.decode(body)
        message = nested.error.message if nested.error else None
    except (MsgspecError, UnicodeDecodeError, RecursionError):
        try:
            flat = _flat.decode(body)
            message = flat.message or flat.error
        except (MsgspecError, UnicodeDecodeError, RecursionError):
            return None
    if not message or not message.strip():
        return None
    return redact(message.replace("\0", ""))[:SHOWN_CHARS_MAX]
