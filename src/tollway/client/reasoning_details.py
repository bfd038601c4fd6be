"""Reasoning as OpenRouter's dialect hands it over, to be handed back with what the model did after it.

Some models refuse to go on without it. Pieces of one detail come in several events; they are joined.
"""

from typing import Final

from tollway.wire.dialects.reading import as_object, as_text
from tollway.wire.json_body import JsonObject, JsonValue

_TEXTS: Final = ("text", "summary", "data")
_DETAILS_MAX: Final = 1_000


class ReasoningDetails:
    """Add those of each event, in order."""

    def __init__(self) -> None:
        self._found: list[JsonObject] = []

    def add(self, details: list[JsonValue]) -> str:
        """Returns the text that a person may read."""
        shown = ""
        for one in map(as_object, details):
            shown += as_text(one.get("text")) or as_text(one.get("summary"))
            if self._found and _continues(self._found[-1], one):
                self._found[-1] = _joined(self._found[-1], one)
            elif one and len(self._found) < _DETAILS_MAX:
                self._found.append(one)
        return shown

    def merged(self) -> list[JsonObject]:
        return list(self._found)


def _continues(last: JsonObject, one: JsonObject) -> bool:
    """One index, one type, and no second proof or id."""
    is_same = all(last.get(name) == one.get(name) for name in ("type", "index"))
    is_signed = last.get("signature") and as_text(one.get("text"))
    has_other_id = last.get("id") and one.get("id") and last.get("id") != one.get("id")
    return bool(one) and one.get("index") is not None and is_same and not is_signed and not has_other_id


def _joined(last: JsonObject, one: JsonObject) -> JsonObject:
    joined = {**last, **{name: value for name, value in one.items() if value is not None}}
    for name in _TEXTS:
        if isinstance(last.get(name), str) and isinstance(one.get(name), str):
            joined[name] = last[name] + one[name]
    return joined
