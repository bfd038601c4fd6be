"""What an upstream says about its failure, fit to be shown: short, and without anything secret.

Only the error's `message`, `code` and `type` are ever shown. Source: response-path §14 (upstream error text) and
guarantees U5, §16.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from re import compile as regex
from typing import Any, Final

from msgspec import MsgspecError, Raw
from msgspec.json import Decoder, encode

from tollway.observability.redact import redact
from tollway.wire.answer import BOM

SHOWN_CHARS_MAX: Final = 1_000
LABEL_CHARS_MAX: Final = 100
LOGGED_CHARS_MAX: Final = 4_096
_LOGGED: Final = ("error", "message", "detail", "code", "type")  # other members may hold the prompt
_OUT_OF_CREDIT: Final = (402, "402")  # the operator's account, which is nobody else's business
_UNAVAILABLE: Final = "The service is temporarily unavailable. Please try again later."

_any: Final = Decoder(Any)
_top_level: Final = Decoder(dict[str, Raw])
_objects: Final = Decoder(list[dict[str, Raw]])
_EVENT_END: Final = regex(rb"((?:\r\n?+|\n)(?:\r\n?+|\n)+)")


@dataclass(frozen=True, slots=True)
class ToldError:
    """`labels`: the error's own `code` and `type`, where it has them. `message` is None when nothing can be shown."""

    message: str | None = None
    labels: Mapping[str, str | int] = field(default_factory=dict)


NOTHING_TOLD: Final = ToldError()


def read_error(body: bytes) -> ToldError:
    """The error of `{"error":{"message":…,"code":…,"type":…}}` or `{"error":…,"message":…}`, redacted and cut."""
    try:
        tree = _any.decode(body)
    except (MsgspecError, ValueError, RecursionError):
        return NOTHING_TOLD
    if not isinstance(tree, dict):
        return NOTHING_TOLD
    error = tree.get("error")
    if isinstance(error, dict):
        return _told(error)
    return ToldError(_shown(tree.get("message"), SHOWN_CHARS_MAX) or _shown(error, SHOWN_CHARS_MAX))


def text_for_logs(body: bytes) -> str:
    """The start of a refusal's text. Of JSON only the members that speak of the error: some upstreams send back what
    they were sent, and prompts are not logged. Not redacted yet; JSON that cannot be read is left out."""
    try:
        tree = _any.decode(body)
    except (MsgspecError, ValueError, RecursionError):
        is_json = body.lstrip()[:1] in (b"{", b"[", b'"')
        return "" if is_json else body[: 4 * LOGGED_CHARS_MAX].decode("utf-8", "replace")[:LOGGED_CHARS_MAX]
    if not isinstance(tree, dict):
        return ""
    error = tree.get("error")
    said = {**_plain(tree), "error": _plain(error)} if isinstance(error, dict) else _plain(tree)
    return encode(said).decode()[:LOGGED_CHARS_MAX]


def _plain(tree: Mapping[str, object]) -> dict[str, object]:
    return {name: tree[name] for name in _LOGGED if isinstance(tree.get(name), str | int)}


def with_shown_errors(events: bytes) -> tuple[bytes, bool]:
    """Whole events of a stream, those that report an error encoded anew with what may be shown of it.

    Also says whether there was one: an `error` key that is null reports nothing. Not for the hot path.
    """
    if b'"error"' not in events:
        return events, False
    pieces = _EVENT_END.split(events)  # event, blank line, event, blank line, …
    shown = [_shown_event(piece) for piece in pieces]
    for place, event in enumerate(shown):
        if event is not None:
            pieces[place] = event
            pieces[place + 1 : place + 2] = [b"\n\n"]
    return b"".join(pieces), any(shown)


def with_shown_error(body: bytes) -> bytes:
    """A whole JSON answer; one that reports an error is encoded anew with what may be shown of it."""
    return (b'"error"' in body and _shown_object(body)) or body


def _shown_event(event: bytes) -> bytes | None:
    """The event anew when it reports an error, else None."""
    if b'"error"' not in event:
        return None
    lines = event.removeprefix(BOM).splitlines()
    values = [line[5:].removeprefix(b" ") for line in lines if line.startswith(b"data:")]
    shown = _shown_object(b"\n".join(values))
    return shown and b"data: " + shown


def _shown_object(text: bytes) -> bytes | None:
    try:
        tree = _top_level.decode(text)
        error = _any.decode(tree.get("error", Raw(b"null")))
    except (MsgspecError, ValueError, RecursionError):
        return None
    if not error:
        return None
    told = _told(error) if isinstance(error, dict) else ToldError(_shown(error, SHOWN_CHARS_MAX))
    tree["error"] = Raw(encode({"message": told.message or _UNAVAILABLE, **told.labels}))
    try:
        choices = _objects.decode(tree["choices"])
    except (KeyError, MsgspecError, ValueError, RecursionError):
        tree.pop("choices", None)
    else:
        for choice in choices:
            choice.pop("error", None)
        tree["choices"] = Raw(encode(choices))
    return encode(tree)


def _told(error: Mapping[str, object]) -> ToldError:
    if error.get("code") in _OUT_OF_CREDIT:
        return ToldError(_UNAVAILABLE, {"code": 503})
    labels: dict[str, str | int] = {}
    for name in ("code", "type"):
        value = error.get(name)
        shown = value if value.__class__ is int else _shown(value, LABEL_CHARS_MAX)
        if isinstance(shown, int | str):
            labels[name] = shown
    return ToldError(_shown(error.get("message"), SHOWN_CHARS_MAX), labels)


def _shown(text: object, chars_max: int) -> str | None:
    if not isinstance(text, str) or not text.strip():
        return None
    return redact(text[: chars_max * 2].replace("\0", ""))[:chars_max]
