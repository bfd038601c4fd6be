"""What is kept of a request and its answer where somebody wants both word for word: no secrets, no NUL. Pure.

Source: response-path 10.2, 10.5; guarantees K5.
"""

from typing import Final

from msgspec.json import Decoder

from tollway.observability.redact import redact, redact_fields
from tollway.wire.json_body import JsonObject, JsonValue

_decode: Final = Decoder(JsonObject).decode


def stored_request(body: bytes) -> JsonObject:
    """The JSON object that was sent, as this program encoded it; secrets are masked."""
    stored: JsonObject = redact_fields(_without_nul(_decode(body)))
    return stored


def stored_response(body: bytes, status: int, bytes_max: int) -> str:
    """The text of an answer, at most `bytes_max` bytes of UTF-8. What an upstream says of an error may quote the key it
    was sent, so that is redacted; other answers stay as they came."""
    text = body.decode("utf-8", "replace").replace("\0", "")
    if status >= 400:
        text = redact(text)
    return text if 4 * len(text) <= bytes_max else text.encode()[:bytes_max].decode("utf-8", "ignore")


def _without_nul(tree: JsonValue) -> JsonValue:
    if isinstance(tree, str):
        return tree.replace("\0", "")
    if isinstance(tree, dict):
        return {name.replace("\0", ""): _without_nul(one) for name, one in tree.items()}
    if isinstance(tree, list):
        return [_without_nul(one) for one in tree]
    return tree
