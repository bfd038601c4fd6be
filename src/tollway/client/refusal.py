"""What a gateway says when it refuses, as the person who asked is shown it. Source: catalog-and-clients D.4.9."""

from http import HTTPStatus
from typing import Final

from tollway.client.terminal_text import for_terminal
from tollway.wire.dialects.reading import as_text
from tollway.wire.json_body import JsonObject, JsonValue
from tollway.wire.sse import read_object

_CHARACTERS_MAX: Final = 2_000


def refusal_text(status: int, body: bytes, request_id: str) -> str:
    """One text for a whole answer with this status."""
    tree = read_object(body)
    told = error_text(tree, status_text(status)) if tree is not None else ""
    if not told:
        plain = body[:_CHARACTERS_MAX].decode(errors="replace").strip()
        is_page = plain[:1] in ("<", "{", "[", "")
        told = status_text(status) if is_page else f"{status_text(status)}: {plain}"
    return with_request_id(_shown(told), request_id)


def error_text(tree: JsonObject, status: str) -> str:
    """`error.message` of an object; of a text its status, itself and the `message` beside it. Empty: there is none."""
    error: JsonValue = tree.get("error")
    message = as_text(tree.get("message")).strip()
    if isinstance(error, dict):
        return _shown(as_text(error.get("message")).strip() or status)
    if isinstance(error, str) and error.strip():
        texts = dict.fromkeys(one for one in (status, error.strip(), message) if one)
        return _shown(": ".join(texts))
    return _shown(f"{status}: {message}") if message else ""


def status_text(status: int) -> str:
    """`Not Found`; `Status 599` where it has no name."""
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return f"Status {status}"


def with_request_id(text: str, request_id: str) -> str:
    return f"{text} (request {_shown(request_id)})" if request_id else text


def _shown(text: str) -> str:
    from tollway.observability.redact import redact  # lazy: no answer that is fine needs its patterns

    return redact(for_terminal(text)[:_CHARACTERS_MAX])
