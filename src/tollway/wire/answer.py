"""What a chat-completion answer says about itself: the whole JSON body, or one event of a stream.

Only what accounting needs is opened; the rest stays raw text. Nothing an upstream sends raises here: a field of the
wrong type counts as absent. Source: response-path 6.2, 6.3.
"""

from typing import Final

from msgspec import MsgspecError, Raw, Struct
from msgspec.json import Decoder

from tollway.wire.ordinary import read_ordinary, usage_of
from tollway.wire.usage import Usage, read_usage

LABEL_CHARS_MAX: Final = 500  # ids and names beyond this are cut, so that any answer can be stored
BOM: Final = b"\xef\xbb\xbf"
_ABSENT: Final = Raw(b"")


class Envelope(Struct):
    """The top level of an answer or of a stream's event. An absent field is empty, a null one is `null`."""

    id: Raw = _ABSENT
    model: Raw = _ABSENT
    provider: Raw = _ABSENT
    choices: Raw = _ABSENT
    usage: Raw = _ABSENT
    error: Raw = _ABSENT


class Choice(Struct):
    """One of `choices`: `message` in a body, `delta` in an event, `text` in the legacy completions."""

    message: Raw = _ABSENT
    delta: Raw = _ABSENT
    text: Raw = _ABSENT
    finish_reason: Raw = _ABSENT


class _Message(Struct):
    content: Raw = _ABSENT
    refusal: Raw = _ABSENT
    reasoning: Raw = _ABSENT
    reasoning_content: Raw = _ABSENT
    reasoning_details: Raw = _ABSENT
    tool_calls: Raw = _ABSENT
    function_call: Raw = _ABSENT
    audio: Raw = _ABSENT
    images: Raw = _ABSENT
    provider_metadata: Raw = _ABSENT


class _Part(Struct):
    """An element of a content array, a tool call, or the function in it."""

    text: Raw = _ABSENT
    function: Raw = _ABSENT
    arguments: Raw = _ABSENT


class _Metadata(Struct):
    """`provider_metadata.gateway.routing`, level by level."""

    gateway: Raw = _ABSENT
    routing: Raw = _ABSENT
    finalProvider: Raw = _ABSENT  # noqa: N815  the name on the wire
    resolvedProvider: Raw = _ABSENT  # noqa: N815  the same, as older gateways call it


_envelope: Final = Decoder(Envelope)
_choice: Final = Decoder(Choice)
_message: Final = Decoder(_Message)
_part: Final = Decoder(_Part)
_metadata: Final = Decoder(_Metadata)
_list: Final = Decoder(list[Raw])
_str: Final = Decoder(str)


class Answer(Struct, frozen=True):
    """What an answer said about itself, from one JSON body or from a stream.

    `has_error`: an `error` key, or no model (response-path 6.3; the status is the relay's to add). `has_output`: some
    choice carries content, reasoning, a tool call, a refusal, audio or an image. `output_units`: the least number of
    tokens that were generated, the events with output of a stream; None for one body. `text_bytes`: UTF-8 bytes of
    content, reasoning and tool arguments of all choices of a body. `is_json`: the body is one JSON object; if not, all
    else is empty.
    """

    message_id: str | None = None
    model: str | None = None
    inference_provider: str | None = None
    finish_reason: str | None = None
    usage: Usage | None = None
    has_error: bool = False
    has_output: bool = False
    output_units: int | None = None
    text_bytes: int = 0
    is_json: bool = False


NOT_JSON: Final = Answer(has_error=True)


def read_answer(body: bytes) -> Answer:
    """The facts of a whole JSON body; NOT_JSON when it is not a JSON object. Never raises."""
    return _read_ordinary(body) or read_any_answer(body)


def _read_ordinary(body: bytes) -> Answer | None:
    answer = read_ordinary(body)
    if answer is None:
        return None
    usage = usage_of(answer.usage) if answer.usage else None
    if answer.usage and usage is None:
        return None
    text_bytes = 0
    has_output = False
    for choice in answer.choices:
        message = choice.message
        for text in (message.content, message.reasoning or message.reasoning_content):
            if text:
                text_bytes += len(text) if text.isascii() else len(text.encode())
                has_output = True
        if message.reasoning_details and not has_output:
            return None
    return Answer(
        message_id=answer.id,
        model=answer.model,
        inference_provider=answer.provider.strip() or None if answer.provider else None,
        finish_reason=answer.choices[0].finish_reason if answer.choices else None,
        usage=usage,
        has_error=False,
        has_output=has_output,
        text_bytes=text_bytes,
        is_json=True,
    )


def read_any_answer(body: bytes) -> Answer:
    """The same for any body at all, opened piece by piece."""
    envelope = read_envelope(body.removeprefix(BOM))
    if envelope is None:
        return NOT_JSON
    choices = [choice_of(raw) for raw in _items(envelope.choices)]
    messages = [_message_of(choice) for choice in choices]
    model = label(envelope.model)
    return Answer(
        message_id=label(envelope.id),
        model=model,
        inference_provider=provider_of(envelope, choices[0] if choices else None),
        finish_reason=label(choices[0].finish_reason) if choices else None,
        usage=read_usage(envelope.usage),
        has_error=bool(envelope.error) or model is None,
        has_output=any(_has_output(message) for message in messages),
        text_bytes=sum(_text_bytes(message) for message in messages),
        is_json=True,
    )


def read_envelope(text: bytes) -> Envelope | None:
    """`text` as an envelope; None when it is not one JSON object."""
    try:
        return _envelope.decode(text)
    except (MsgspecError, ValueError, RecursionError):
        return None


def first_choice(envelope: Envelope) -> Choice | None:
    items = _items(envelope.choices)
    return choice_of(items[0]) if items else None


def choice_of(raw: Raw) -> Choice:
    return _choice.decode(raw) if _is_object(raw) else Choice()


def provider_of(envelope: Envelope, choice: Choice | None) -> str | None:
    """Who really served it, trimmed: `provider`, or what a gateway wrote into the first choice's metadata."""
    named = _trimmed(envelope.provider)
    if named or choice is None:
        return named
    holder = choice.message if _is_object(choice.message) else choice.delta
    if not _is_object(holder):
        return None
    metadata = _message.decode(holder).provider_metadata
    routing = _metadata_of(_metadata_of(_metadata_of(metadata).gateway).routing)
    return _trimmed(routing.finalProvider) or _trimmed(routing.resolvedProvider)


def _trimmed(raw: Raw) -> str | None:
    return (label(raw) or "").strip() or None


def label(raw: Raw) -> str | None:
    """A non-empty text, free of NUL and cut to LABEL_CHARS_MAX characters; None for anything else."""
    return _text(raw)[:LABEL_CHARS_MAX].replace("\0", "") or None


def _message_of(choice: Choice) -> _Message:
    if _is_object(choice.message):
        return _message.decode(choice.message)
    return _Message(content=choice.text)


def _has_output(message: _Message) -> bool:
    texts = (message.content, message.refusal, message.reasoning, message.reasoning_content)
    lists = (message.content, message.reasoning_details, message.tool_calls, message.images)
    return (
        any(_text(raw) for raw in texts)
        or any(_items(raw) for raw in lists)
        or _is_object(message.function_call)
        or _is_object(message.audio)
    )


def _text_bytes(message: _Message) -> int:
    texts = [_text(message.content), _text(message.reasoning) or _text(message.reasoning_content)]
    texts += [_text(_part_of(part).text) for part in _items(message.content)]
    texts += [_text(_part_of(_part_of(call).function).arguments) for call in _items(message.tool_calls)]
    texts.append(_text(_part_of(message.function_call).arguments))
    return sum(len(text.encode("utf-8", "surrogatepass")) for text in texts)


def _part_of(raw: Raw) -> _Part:
    return _part.decode(raw) if _is_object(raw) else _Part()


def _metadata_of(raw: Raw) -> _Metadata:
    return _metadata.decode(raw) if _is_object(raw) else _Metadata()


def _is_object(raw: Raw) -> bool:
    return bytes(raw).lstrip().startswith(b"{")


def _items(raw: Raw) -> list[Raw]:
    return _list.decode(raw) if bytes(raw).lstrip().startswith(b"[") else []


def _text(raw: Raw) -> str:
    """The text of a JSON string; empty for anything else, also for one that is not valid UTF-8."""
    if not bytes(raw).lstrip().startswith(b'"'):
        return ""
    try:
        return _str.decode(raw)
    except (MsgspecError, ValueError):
        return ""
