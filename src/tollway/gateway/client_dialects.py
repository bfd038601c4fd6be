"""What clients speak that do not speak Chat Completions: their requests become chat requests before anything else looks
at them, and chat answers become theirs after everything else has.

One object per request. Pure: it is told the request's id and time. Source: response-path 5 read backwards; guarantees
S3 and S4.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Final, Protocol

from msgspec.json import encode

from tollway.wire.dialects.anthropic_request_to_chat import anthropic_request_to_chat
from tollway.wire.dialects.chat_answer_to_anthropic import (
    ChatToAnthropicStream,
    chat_answer_to_anthropic,
    chat_error_to_anthropic,
)
from tollway.wire.dialects.chat_answer_to_responses import ChatToResponsesStream, chat_answer_to_responses
from tollway.wire.dialects.provider_error import ProviderError
from tollway.wire.dialects.reading import as_text
from tollway.wire.dialects.refusal import Refusal
from tollway.wire.dialects.responses_output import ResponseHead
from tollway.wire.dialects.responses_request_to_chat import responses_request_to_chat
from tollway.wire.json_body import decode_object

_NO_HEAD: Final = ResponseHead("", 0, "", {})


class ClientDialect(Protocol):
    """`read` comes first, and once; of a request that was refused before that, only `error` is asked for."""

    def credential(self, headers: Mapping[bytes, bytes]) -> str:
        """What names the caller besides `Authorization`; "" for nothing."""
        ...

    def read(self, body: bytes, request_id: str, received_at: datetime) -> bytes | Refusal:
        """The body of the chat request that `body` is. Raises BodyError when it is no JSON object."""
        ...

    def whole(self, body: bytes) -> bytes:
        """A whole chat answer in this dialect; b"": it is none."""
        ...

    def error(self, body: bytes, status: int) -> bytes:
        """A chat error body in this dialect."""
        ...

    def feed(self, data: bytes) -> bytes:
        """Whole events of a chat stream, `[DONE]` included."""
        ...

    def close(self) -> bytes:
        """The stream has ended as it should: what is still due."""
        ...

    def fail(self, message: str, status: int) -> bytes:
        """The stream did not end as it should: how it ends instead."""
        ...


class MessagesClient:
    """A client of Anthropic's Messages API. Which version of it the client names means nothing here."""

    __slots__ = ("_message_id", "_model", "_stream")

    def __init__(self) -> None:
        self._message_id = self._model = ""
        self._stream = ChatToAnthropicStream("", "")

    def credential(self, headers: Mapping[bytes, bytes]) -> str:
        return headers.get(b"x-api-key", b"").decode("latin-1").strip()

    def read(self, body: bytes, request_id: str, received_at: datetime) -> bytes | Refusal:  # noqa: ARG002  (protocol)
        chat = anthropic_request_to_chat(decode_object(body))
        if isinstance(chat, Refusal):
            return chat
        self._message_id, self._model = f"msg_{request_id}", as_text(chat.get("model"))
        self._stream = ChatToAnthropicStream(self._message_id, self._model)
        return encode(chat)

    def whole(self, body: bytes) -> bytes:
        return chat_answer_to_anthropic(body, self._message_id, self._model)

    def error(self, body: bytes, status: int) -> bytes:
        return chat_error_to_anthropic(body, status)

    def feed(self, data: bytes) -> bytes:
        return self._stream.feed(data)

    def close(self) -> bytes:
        return self._stream.close()

    def fail(self, message: str, status: int) -> bytes:
        return self._stream.fail(ProviderError(message, status))


class ResponsesClient:
    """A client of OpenAI's Responses API, whose errors are those of Chat Completions."""

    __slots__ = ("_head", "_stream")

    def __init__(self) -> None:
        self._head = _NO_HEAD
        self._stream = ChatToResponsesStream(_NO_HEAD)

    def credential(self, headers: Mapping[bytes, bytes]) -> str:  # noqa: ARG002  (protocol)
        return ""

    def read(self, body: bytes, request_id: str, received_at: datetime) -> bytes | Refusal:
        request = responses_request_to_chat(decode_object(body))
        if isinstance(request, Refusal):
            return request
        model = as_text(request.chat.get("model"))
        self._head = ResponseHead(f"resp_{request_id}", int(received_at.timestamp()), model, request.echo)
        self._stream = ChatToResponsesStream(self._head)
        return encode(request.chat)

    def whole(self, body: bytes) -> bytes:
        return chat_answer_to_responses(body, self._head)

    def error(self, body: bytes, status: int) -> bytes:  # noqa: ARG002  (protocol)
        return body

    def feed(self, data: bytes) -> bytes:
        return self._stream.feed(data)

    def close(self) -> bytes:
        return self._stream.close()

    def fail(self, message: str, status: int) -> bytes:
        return self._stream.fail(ProviderError(message, status))
