"""A chat completion request, as much of it as the scripts look at."""

from typing import Annotated, Final

import msgspec

from tollway.sim.refusal import Refusal


class StreamOptions(msgspec.Struct, frozen=True):
    """OpenAI's `stream_options`."""

    include_usage: bool | None = None


class UsageWish(msgspec.Struct, frozen=True):
    """OpenRouter's `usage`."""

    include: bool | None = None


class Function(msgspec.Struct, frozen=True):
    """A function the model may call."""

    name: str
    parameters: dict[str, object] | None = None


class Tool(msgspec.Struct, frozen=True):
    """One entry of `tools`; server-side tools have no function."""

    function: Function | None = None


class Part(msgspec.Struct, frozen=True):
    """One part of a message's content; only text is read."""

    text: str | None = None


class Message(msgspec.Struct, frozen=True):
    """One message."""

    role: str
    content: str | list[Part] | None = None

    @property
    def text(self) -> str:
        """All text of the message."""
        if isinstance(self.content, list):
            return "".join(part.text or "" for part in self.content)
        return self.content or ""


class ChatRequest(msgspec.Struct, frozen=True):
    """The body of `POST /chat/completions`."""

    model: str
    messages: list[Message]
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    usage: UsageWish | None = None
    max_tokens: Annotated[int, msgspec.Meta(ge=1)] | None = None
    max_completion_tokens: Annotated[int, msgspec.Meta(ge=1)] | None = None
    n: Annotated[int, msgspec.Meta(ge=1, le=128)] | None = None
    tools: list[Tool] | None = None
    sim: dict[str, msgspec.Raw] | None = None

    @property
    def wants_usage(self) -> bool:
        """Whether a stream of this request ends with a usage chunk."""
        return bool((self.stream_options and self.stream_options.include_usage) or (self.usage and self.usage.include))

    @property
    def token_limit(self) -> int | None:
        """Most completion tokens allowed; the newer name wins."""
        return self.max_completion_tokens or self.max_tokens


_DECODER: Final = msgspec.json.Decoder(ChatRequest)


def parse_request(body: bytes) -> ChatRequest | Refusal:
    """Decode a body, or say what is wrong with it."""
    try:
        return _DECODER.decode(body)
    except (msgspec.MsgspecError, RecursionError) as error:
        return Refusal(400, f"invalid request: {error}")


def count_prompt_tokens(request: ChatRequest) -> int:
    """UTF-8 bytes of the text of all messages, divided by 4, rounded up, at least 1."""
    return max(1, -(-sum(len(message.text.encode()) for message in request.messages) // 4))
