"""Reasoning details: how OpenRouter's chat dialect carries what a model thought, and the proof its provider wants back.

Source: response-path 5.8 and the last lines of 5.10.
"""

from typing import Final

from msgspec import Struct

from tollway.wire.json_body import JsonObject, JsonValue

ANTHROPIC: Final = "anthropic-claude-v1"
OPENAI: Final = "openai-responses-v1"
OBSCURED: Final = "openai-responses-v1-obscured"  # OPENAI for legacy clients, which strip the ids of the plain one
XAI: Final = "xai-responses-v1"
GOOGLE: Final = "google-gemini-v1"

TEXT: Final = "reasoning.text"
ENCRYPTED: Final = "reasoning.encrypted"
SUMMARY: Final = "reasoning.summary"

_CONTENT: Final = {TEXT: "text", ENCRYPTED: "data", SUMMARY: "summary"}


class Detail(Struct, frozen=True):
    """`kind`: TEXT, ENCRYPTED or SUMMARY; `content` is its text, data or summary. None: not written."""

    kind: str
    content: str = ""
    format: str | None = None
    signature: str | None = None
    id: str | None = None
    index: int | None = None


def details_of(holder: JsonObject, is_legacy: bool = False) -> list[Detail]:
    """The reasoning details of a message or a delta, in order; malformed ones are left out.

    is_legacy: the client keeps the obscured format, which is the plain one. A plain `reasoning` string carries no proof
    of where it comes from and would be refused by every provider, so it is no detail.
    """
    details = holder.get("reasoning_details")
    found = [_detail(one, is_legacy) for one in details] if isinstance(details, list) else ()
    return [one for one in found if one]


def _detail(value: JsonValue, is_legacy: bool) -> Detail | None:
    kind = value.get("type") if isinstance(value, dict) else None
    member = _CONTENT.get(kind) if isinstance(kind, str) else None
    if kind is None or member is None:
        return None
    index = value.get("index")
    name = _text(value.get("format"))
    return Detail(
        kind,
        _text(value.get(member)) or "",
        OPENAI if is_legacy and name == OBSCURED else name,
        _text(value.get("signature")),
        _text(value.get("id")),
        index if index.__class__ is int else None,
    )


def written_detail(detail: Detail, is_legacy: bool = False) -> JsonObject:
    """The detail as it goes to a client."""
    written: JsonObject = {"type": detail.kind, _CONTENT[detail.kind]: detail.content}
    name = OBSCURED if is_legacy and detail.format == OPENAI else detail.format
    optional = {"signature": detail.signature, "index": detail.index, "id": detail.id, "format": name}
    written.update({key: value for key, value in optional.items() if value is not None})
    return written


def _text(value: JsonValue) -> str | None:
    return value if isinstance(value, str) and value else None
