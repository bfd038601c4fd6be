"""Frames that Tollway itself adds to a stream."""

from typing import Final

from msgspec.json import encode

KEEP_ALIVE_COMMENT: Final = b": keep-alive\n\n"  # an event of nothing: only between two others


def error_frame(code: str, message: str, request_id: str) -> bytes:
    """The one event that ends a stream which did not finish; never followed by `[DONE]` (guarantees S4).

    Source: response-path §14, broken stream.
    """
    event = {
        "choices": [{"index": 0, "delta": {}, "finish_reason": "error"}],
        "error": {"message": message, "code": code, "request_id": request_id},
    }
    return b"data: %b\n\n" % encode(event)
