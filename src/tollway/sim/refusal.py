"""An answer that says no, in OpenRouter's error shape."""

from dataclasses import dataclass
from http import HTTPStatus

import msgspec


@dataclass(frozen=True, slots=True)
class Refusal:
    """Returned, never raised: why a request is not served."""

    status: int
    message: str


def encode_refusal(refusal: Refusal) -> bytes:
    """The JSON body of a refusal."""
    return msgspec.json.encode({"error": {"code": refusal.status, "message": refusal.message}})


def status_phrase(status: int) -> str:
    """The reason phrase of a status, also of one that nobody registered."""
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Unknown"
