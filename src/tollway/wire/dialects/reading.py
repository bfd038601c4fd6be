"""Foreign JSON, read without trust: a field of the wrong type counts as an empty one, and nothing raises."""

from tollway.wire.json_body import JsonObject, JsonValue


def as_object(value: JsonValue) -> JsonObject:
    return value if isinstance(value, dict) else {}


def as_list(value: JsonValue) -> list[JsonValue]:
    return value if isinstance(value, list) else []


def as_text(value: JsonValue) -> str:
    return value if isinstance(value, str) else ""


def as_index(value: JsonValue) -> int:
    """What has no usable index belongs together, under -1."""
    return value if value.__class__ is int else -1
