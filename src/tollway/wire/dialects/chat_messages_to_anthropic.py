"""Messages of a chat request → `system` and `messages` of Anthropic. Source: response-path 5.4, 5.4.1 and 5.8."""

from collections.abc import Callable
from typing import Final

from tollway.wire.dialects.content import (
    PDF,
    PLAIN_TEXT,
    File,
    cache_mark,
    file_of,
    image_url_of,
    message_text,
    parts_of,
    read_data_url,
    text_of,
    web_url,
)
from tollway.wire.dialects.conversation import (
    ASSISTANT,
    SYSTEM,
    TOOL,
    USER,
    arguments_object,
    call_id,
    messages_of,
    tool_calls_of,
)
from tollway.wire.dialects.details import ANTHROPIC, ENCRYPTED, TEXT, details_of
from tollway.wire.dialects.refusal import unsupported_part
from tollway.wire.json_body import JsonObject, JsonValue

CACHE_MARKS_MAX: Final = 4  # Anthropic refuses a fifth
_MARK: Final = "cache_control"
Block = JsonObject


class AnthropicMessages:
    """Reads one conversation. `system` and `messages` as Anthropic wants them; `has_pdf`: one was among the parts."""

    __slots__ = ("_is_legacy", "_marks_left", "has_pdf", "messages", "system")

    def __init__(self, is_legacy: bool = False) -> None:
        self._is_legacy = is_legacy
        self._marks_left = CACHE_MARKS_MAX
        self.system: list[Block] = []
        self.messages: list[JsonObject] = []
        self.has_pdf = False

    def read(self, body: JsonObject) -> None:
        """Raises RefusedError for what Anthropic cannot be told. The body is not edited."""
        messages = messages_of(body)
        for role, message in messages:  # the system comes first, also what was said late
            if role == SYSTEM:
                self._read_system(message)
        readers: dict[str, tuple[str, Callable[[JsonObject], list[Block]]]] = {
            USER: (USER, self._user_blocks),
            TOOL: (USER, self._tool_blocks),
            ASSISTANT: (ASSISTANT, self._assistant_blocks),
        }
        for role, message in messages:
            if role != SYSTEM:
                sent_role, read = readers[role]
                self._add(sent_role, read(message))
        self._strip_prefill()

    def _add(self, role: str, blocks: list[Block]) -> None:
        """Neighbours of one role are one message."""
        if not blocks:
            return
        if self.messages and self.messages[-1]["role"] == role:
            self.messages[-1]["content"] += blocks
        else:
            self.messages.append({"role": role, "content": blocks})

    def _mark(self, block: Block, mark: JsonObject | None) -> None:
        """Marks beyond the most are dropped silently."""
        if mark is not None and self._marks_left > 0:
            self._marks_left -= 1
            block[_MARK] = mark

    # system

    def _read_system(self, message: JsonObject) -> None:
        text = message_text(message.get("content"))
        if text:  # Anthropic refuses an empty block
            block: Block = {"type": "text", "text": text}
            self._mark(block, {"type": "ephemeral"})
            self.system.append(block)

    # user

    def _user_blocks(self, message: JsonObject) -> list[Block]:
        read = [(self._user_block(part), cache_mark(part)) for part in parts_of(message.get("content"))]
        marked = [(block, mark) for block, mark in read if block is not None]
        if marked and marked[-1][1] is None:
            marked[-1] = (marked[-1][0], cache_mark(message))
        for block, mark in marked:
            self._mark(block, mark)
        return [block for block, _ in marked]

    def _user_block(self, part: JsonObject) -> Block | None:
        """None for an empty text."""
        kind = part.get("type")
        if kind == "text":
            return _text_block(text_of(part))
        block = None
        if kind == "image_url":
            block = _image_block(image_url_of(part)) or _remote_image_block(image_url_of(part))
        elif kind == "file":
            block = self._document_block(file_of(part))
        if block is None:
            raise unsupported_part(kind)
        return block

    def _document_block(self, file: File) -> Block | None:
        url = file.data_url
        if url is None:
            return None
        if url.media_type == PDF:
            block = self._pdf_block(url.data)
        elif url.media_type == PLAIN_TEXT and url.text is not None:
            block = {"type": "document", "source": {"type": "text", "media_type": PLAIN_TEXT, "data": url.text}}
        else:
            return None
        if file.filename:
            block["title"] = file.filename
        return block

    def _pdf_block(self, data: str) -> Block:
        self.has_pdf = True
        return {"type": "document", "source": {"type": "base64", "media_type": PDF, "data": data}}

    # tool

    def _tool_blocks(self, message: JsonObject) -> list[Block]:
        content = message.get("content")
        result: JsonValue = content
        if isinstance(content, list):
            result = [block for part in parts_of(content) if (block := self._result_block(part)) is not None]
        elif not isinstance(content, str):
            result = ""
        return [{"type": "tool_result", "tool_use_id": call_id(message.get("tool_call_id")), "content": result}]

    def _result_block(self, part: JsonObject) -> Block | None:
        """None for what a result cannot hold, which is dropped: the tool has run, and cannot be asked to run again."""
        kind = part.get("type")
        if kind == "text":
            return _text_block(text_of(part))
        if kind == "image_url":
            url = image_url_of(part)
            return _image_block(url) or _text_block(url)
        return self._result_file_block(file_of(part)) if kind == "file" else None

    def _result_file_block(self, file: File) -> Block | None:
        url = file.data_url
        if url is None:
            return _text_block(file.raw)
        if url.media_type == PDF:
            return self._pdf_block(url.data)
        return _image_block(file.raw) if url.media_type.startswith("image/") else None

    # assistant

    def _assistant_blocks(self, message: JsonObject) -> list[Block]:
        texts = [_assistant_text(part) for part in parts_of(message.get("content"))]
        calls = [
            {"type": "tool_use", "id": id_, "name": name, "input": arguments_object(arguments)}
            for id_, name, arguments in tool_calls_of(message)
        ]
        return [*self._thinking_blocks(message), *(block for block in texts if block), *calls]

    def _thinking_blocks(self, message: JsonObject) -> list[Block]:
        """Only what carries Anthropic's own proof: anything else is refused there."""
        blocks: list[Block] = []
        for detail in details_of(message, self._is_legacy):
            if detail.format != ANTHROPIC:
                continue
            if detail.kind == TEXT and detail.signature:
                blocks.append({"type": "thinking", "thinking": detail.content, "signature": detail.signature})
            elif detail.kind == ENCRYPTED and detail.content:
                blocks.append({"type": "redacted_thinking", "data": detail.content})
        return blocks

    def _strip_prefill(self) -> None:
        """A text that the model is to continue may not begin or end with white space."""
        last = self.messages[-1] if self.messages else None
        if last is None or last["role"] != ASSISTANT or last["content"][-1]["type"] != "text":
            return
        text = last["content"][-1]["text"].strip()
        if text:
            last["content"][-1]["text"] = text
            return
        last["content"].pop()
        if not last["content"]:
            self.messages.pop()


def _text_block(text: JsonValue) -> Block | None:
    return {"type": "text", "text": text} if isinstance(text, str) and text else None


def _image_block(url: JsonValue) -> Block | None:
    """For a data URL."""
    image = read_data_url(url)
    if image is None:
        return None
    return {"type": "image", "source": {"type": "base64", "media_type": image.image_type, "data": image.data}}


def _remote_image_block(url: JsonValue) -> Block | None:
    """For a URL that Anthropic fetches."""
    return {"type": "image", "source": {"type": "url", "url": url}} if web_url(url) else None


def _assistant_text(part: JsonObject) -> Block | None:
    kind = part.get("type")
    if kind not in ("text", "refusal"):
        raise unsupported_part(kind)
    return _text_block(part.get(kind))
