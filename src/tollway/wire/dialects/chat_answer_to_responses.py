"""A Chat Completions answer → an answer of the Responses API: a stream as it comes, or a whole body.

Whatever an upstream sends, nothing here raises: a chunk that is malformed or unknown is dropped. Only the first choice
counts; there is no word for others. Source: OpenAI's API reference; response-path 5.8, 5.10 and 5.11 read backwards,
guarantees S3 and S4.
"""

from typing import Final

from msgspec.json import encode
from msgspec.structs import replace

from tollway.wire.dialects.chat_answer import FAILED, error_of, first_choice, reasoning_of, usage_of
from tollway.wire.dialects.chat_output import ERROR
from tollway.wire.dialects.content import message_text
from tollway.wire.dialects.conversation import call_id
from tollway.wire.dialects.event_translator import EventTranslator
from tollway.wire.dialects.provider_error import ProviderError
from tollway.wire.dialects.reading import as_list, as_object, as_text
from tollway.wire.dialects.refusal import reason_phrase
from tollway.wire.dialects.responses_items import OUTPUT_TEXT, REFUSAL
from tollway.wire.dialects.responses_output import Ending, ResponseHead, ResponseWriter
from tollway.wire.json_body import JsonObject, JsonValue
from tollway.wire.sse import DONE, read_object
from tollway.wire.usage import Usage

KEPT_BYTES_MAX: Final = 64 << 20  # beyond any answer of a model

_TOO_LONG: Final = ProviderError("The answer is too long.", FAILED)
_UNKNOWN: Final = ProviderError(reason_phrase(FAILED), FAILED)


class ChatToResponsesStream(EventTranslator):
    """Feed it the body of a chat stream; it gives back the events of a Responses stream.

    The last events come with `[DONE]`, or when it is closed: usage may follow the finish reason. A stream that ends
    without `[DONE]` and without a finish reason did not finish: close gives nothing then, and who relays it ends it
    with `fail`. `finish_reason` is the chat one; `usage` None: not reported. `is_finished`: the answer is complete.
    `error`: what was told, after which nothing comes. `too_long`: a chunk was longer than allowed, which is an error
    too.
    """

    __slots__ = (
        "_has_begun",
        "_kept_bytes_max",
        "_writer",
        "usage",
    )

    def __init__(self, head: ResponseHead, kept_bytes_max: int = KEPT_BYTES_MAX) -> None:
        """kept_bytes_max: about how much memory the answer may take; the last event repeats it whole."""
        super().__init__()
        self._writer = ResponseWriter(head)
        self._has_begun = False
        self._kept_bytes_max = kept_bytes_max
        self.usage: Usage | None = None

    def _tell(self, error: ProviderError) -> bytes:
        return self._begin("") + self._writer.finish(Ending(ERROR, self.usage, error))

    def _take(self, data: bytes) -> bytes:
        if data.startswith(DONE):
            return self._finish()
        chunk = read_object(data)
        if chunk is None:
            return b""
        error = error_of(chunk)
        if error:
            return self.fail(error)
        self.usage = usage_of(chunk) or self.usage
        choice = first_choice(chunk)
        if choice is None:
            return b""
        written = self._begin(as_text(chunk.get("model"))) + _write(self._writer, as_object(choice.get("delta")))
        self.finish_reason = as_text(choice.get("finish_reason")) or self.finish_reason
        if self._writer.kept_bytes > self._kept_bytes_max:
            return written + self.fail(_TOO_LONG)
        return written + self.fail(_UNKNOWN) if self.finish_reason == ERROR else written

    def _begin(self, model: str) -> bytes:
        if self._has_begun:
            return b""
        self._has_begun = True
        return self._writer.start(model)

    def _conclude(self) -> bytes:
        return self._finish() if self.finish_reason else b""

    def _finish(self) -> bytes:
        self.is_finished = True
        return self._begin("") + self._writer.finish(Ending(self.finish_reason, self.usage))


def chat_answer_to_responses(body: bytes, head: ResponseHead) -> bytes:
    """A whole chat answer as a Responses answer; b"" when it is none, and so no answer at all.

    What reports an error with a status of success becomes a response that failed.
    """
    answer = read_object(body)
    if answer is None:
        return b""
    model = as_text(answer.get("model")) or head.model
    writer = ResponseWriter(replace(head, model=model))
    choice, error = first_choice(answer), error_of(answer)
    if choice is None and error is None:
        return b""
    choice = as_object(choice)
    _write(writer, _as_delta(as_object(choice.get("message"))))
    return encode(writer.whole(Ending(as_text(choice.get("finish_reason")), usage_of(answer), error)))


def _as_delta(message: JsonObject) -> JsonObject:
    """A whole message as one delta: each of its details, and of its calls, stands for itself."""
    return {**message, **{name: _numbered(message.get(name)) for name in ("reasoning_details", "tool_calls")}}


def _numbered(values: JsonValue) -> list[JsonObject]:
    return [{**as_object(value), "index": place} for place, value in enumerate(as_list(values))]


def _write(writer: ResponseWriter, delta: JsonObject) -> bytes:
    thought = b"".join([writer.think(detail) for detail in reasoning_of(delta)])
    said = writer.say(OUTPUT_TEXT, message_text(delta.get("content")))
    said += writer.say(REFUSAL, as_text(delta.get("refusal")))
    return (
        thought
        + said
        + b"".join(
            [_call(writer, as_object(call), place) for place, call in enumerate(as_list(delta.get("tool_calls")))]
        )
    )


def _call(writer: ResponseWriter, call: JsonObject, place: int) -> bytes:
    function = as_object(call.get("function"))
    index = call.get("index")
    return writer.call(
        index if index.__class__ is int else place,
        call_id(call.get("id")),
        as_text(function.get("name")),
        as_text(function.get("arguments")),
    )
