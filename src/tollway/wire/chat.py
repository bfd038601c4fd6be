"""A Chat Completions request as callers send it: checked once, then read through typed fields."""

from typing import Final

from msgspec import Struct

from tollway.wire.json_body import BodyError, JsonObject, JsonValue, decode_object

MODEL_ID_CHARS_MAX: Final = 256
MESSAGES_MAX: Final = 10_000
TOOLS_MAX: Final = 512
CHOICES_MAX: Final = 8
STOPS_MAX: Final = 16
METADATA_MAX: Final = 16
METADATA_NAME_CHARS_MAX: Final = 64
METADATA_VALUE_CHARS_MAX: Final = 512
COMPLETION_TOKENS_MAX: Final = 99_999_999_999  # request-path 10.1: more is answered like an outage

_BOUNDED: Final = frozenset({"tools", "stop", "metadata", "n", "max_completion_tokens", "max_tokens"})


class ModelMissingError(ValueError):
    """`model` is absent, empty or no string: answered as an unknown model, not as a bad request."""


class ChatRequest(Struct, frozen=True):
    """`body` is the whole decoded object and is never edited; stages that change it copy the top level first.

    `model` keeps the caller's spelling, trimmed. `completion_tokens_max` is what the caller allows (None: no limit
    given), `body_bytes` the length as received. `auto_model`: the auto id that `model` was resolved from, if any.
    """

    body: JsonObject
    model: str
    stream: bool
    completion_tokens_max: int | None
    choices: int
    messages: int
    body_bytes: int
    auto_model: str | None = None

    @property
    def requested_model(self) -> str:
        """What was asked for, whatever it came to mean."""
        return self.auto_model or self.model


def parse_chat(body: bytes) -> ChatRequest:
    """Raises BodyError (400) or ModelMissingError (404)."""
    tree = decode_object(body)
    model = tree.get("model")
    if not isinstance(model, str) or not (trimmed := model.strip()):
        raise ModelMissingError("model is missing")
    if len(model) > MODEL_ID_CHARS_MAX:
        raise BodyError("model is too long")
    messages = tree.get("messages")
    if messages is not None:
        _check_list("messages", messages, MESSAGES_MAX)
        for message in messages:
            if message.__class__ is not dict:
                raise BodyError("messages must be objects")
    stream = tree.get("stream")
    if stream is not None and stream.__class__ is not bool:
        raise BodyError("stream must be true or false")
    completion_tokens_max, choices = None, 1
    if not _BOUNDED.isdisjoint(tree):
        _check_lists(tree)
        completion_tokens_max = _completion_tokens_max(tree)
        choices = _choices(tree)
    return ChatRequest(tree, trimmed, stream is True, completion_tokens_max, choices, len(messages or ()), len(body))


def _choices(tree: JsonObject) -> int:
    choices = tree.get("n")
    return 1 if choices is None else _integer("n", choices, 1, CHOICES_MAX)


def _completion_tokens_max(tree: JsonObject) -> int | None:
    """The larger of the two limits: which one an upstream obeys is not known, and the hold must cover either."""
    most = None
    for name in ("max_completion_tokens", "max_tokens"):
        value = tree.get(name)
        if value is not None:
            limit = _integer(name, value, 0, None)
            most = limit if most is None else max(most, limit)
    return most


def _integer(name: str, value: JsonValue, least: int, most: int | None) -> int:
    """An integer field; integral floats count, bools and strings do not."""
    if value.__class__ is float and value.is_integer():
        value = int(value)
    if value.__class__ is not int or value < least or (most is not None and value > most):
        raise BodyError(f"{name} is out of range")
    return int(value)


def _check_lists(tree: JsonObject) -> None:
    tools = tree.get("tools")
    if tools is not None:
        _check_list("tools", tools, TOOLS_MAX)
    stops = tree.get("stop")
    if stops.__class__ is list:
        _check_list("stop", stops, STOPS_MAX)
    metadata = tree.get("metadata")
    if metadata is not None:
        _check_metadata(metadata)


def _check_list(name: str, value: JsonValue, most: int) -> None:
    if value.__class__ is not list or len(value) > most:
        raise BodyError(f"{name} must be a list of at most {most}")


def _check_metadata(metadata: JsonValue) -> None:
    if metadata.__class__ is not dict or len(metadata) > METADATA_MAX:
        raise BodyError("metadata must be a small object")
    for name, value in metadata.items():
        if len(name) > METADATA_NAME_CHARS_MAX or (isinstance(value, str) and len(value) > METADATA_VALUE_CHARS_MAX):
            raise BodyError("metadata has an entry that is too long")
        if isinstance(value, dict | list):
            raise BodyError("metadata values must be plain")


def with_usage(body: JsonObject) -> JsonObject:
    """A copy whose metering cannot be switched off: usage is asked for whatever the caller said, `models` is gone.

    Source: request-path 2.2 and 2.3, guarantees M3.
    """
    options = body.get("stream_options")
    asked = {**options, "include_usage": True} if options.__class__ is dict else {"include_usage": True}
    shaped = {**body, "stream_options": asked}
    shaped.pop("models", None)
    return shaped
