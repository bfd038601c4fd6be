"""`system` and `messages` of Anthropic → messages of a chat request.

Cache marks stay where they are: gateways that speak chat for Anthropic's models take them on content parts.
Source: Anthropic's API reference; response-path 5.4.1 and 5.8 read backwards.
"""

from typing import Final

from msgspec.json import encode

from tollway.wire.dialects.content import PDF, cache_mark, data_url, parts_of, text_data_url
from tollway.wire.dialects.conversation import ASSISTANT, SYSTEM, TOOL, USER
from tollway.wire.dialects.details import ANTHROPIC, ENCRYPTED, TEXT, Detail, written_detail
from tollway.wire.dialects.refusal import RefusedError, unsupported_part, unsupported_role
from tollway.wire.json_body import JsonObject, JsonValue

_MARK: Final = "cache_control"
_PDF_NAME: Final = "document.pdf"  # chat wants its files named
_TEXT_NAME: Final = "document.txt"
Part = JsonObject


def chat_messages(body: JsonObject) -> list[JsonObject]:
    """The messages, the system first. Raises RefusedError for what chat cannot express. The body is not edited."""
    found: list[JsonObject] = []
    system = _content([_text_part(block) for block in parts_of(body.get("system"))])
    if system:
        found.append({"role": SYSTEM, "content": system})
    messages = body.get("messages")
    for message in messages if isinstance(messages, list) else ():
        if not isinstance(message, dict):
            raise RefusedError("messages must be objects")
        found += _read(message)
    return found


def _read(message: JsonObject) -> list[JsonObject]:
    role, content = message.get("role"), message.get("content")
    if role == USER:
        return _user(content)
    if role == ASSISTANT:
        return _assistant(content)
    if role == SYSTEM:
        return [{"role": SYSTEM, "content": _content([_text_part(block) for block in parts_of(content)])}]
    raise unsupported_role(role)


# user


def _user(content: JsonValue) -> list[JsonObject]:
    """Results of tools come first: in chat they follow the calls at once."""
    if isinstance(content, str):
        return [{"role": USER, "content": content}]
    results: list[JsonObject] = []
    parts: list[Part] = []
    for block in parts_of(content):
        if block.get("type") == "tool_result":
            results.append(_tool_message(block))
        else:
            parts += _parts(block)
    return [*results, {"role": USER, "content": _content(parts)}] if parts else results


def _tool_message(block: JsonObject) -> JsonObject:
    parts = [part for inner in parts_of(block.get("content")) for part in _parts(inner)]
    mark = cache_mark(block)
    if mark and parts and _MARK not in parts[-1]:
        parts[-1] = {**parts[-1], _MARK: mark}
    return {"role": TOOL, "tool_call_id": block.get("tool_use_id"), "content": _content(parts)}


def _parts(block: JsonObject) -> list[Part]:
    """One part, or those of a document that is made of blocks."""
    kind = block.get("type")
    if kind == "text":
        return [_text_part(block)]
    if kind == "image":
        return [_marked({"type": "image_url", "image_url": {"url": _image_url(block)}}, block)]
    if kind == "document":
        return _document_parts(block)
    raise unsupported_part(kind)


def _text_part(block: JsonObject) -> Part:
    text = block.get("text")
    if block.get("type") != "text" or not isinstance(text, str):
        raise unsupported_part(block.get("type"))
    return _marked({"type": "text", "text": text}, block)


def _image_url(block: JsonObject) -> str:
    source = _source(block)
    kind = source["type"]
    if kind == "base64":
        return data_url(_text(source, "media_type"), _text(source, "data"))
    if kind == "url":
        return _text(source, "url")
    raise RefusedError(f"Unsupported image source: {kind}")


def _document_parts(block: JsonObject) -> list[Part]:
    source = _source(block)
    kind = source["type"]
    if kind == "content":
        return [part for inner in parts_of(source.get("content")) for part in _parts(inner)]
    title = block.get("title")
    if kind == "base64":
        name, data = _PDF_NAME, data_url(PDF, _text(source, "data"))
    elif kind == "text":
        name, data = _TEXT_NAME, text_data_url(_text(source, "data"))
    elif kind == "url":
        name, data = _PDF_NAME, _text(source, "url")
    else:
        raise RefusedError(f"Unsupported document source: {kind}")
    file = {"filename": title if isinstance(title, str) and title else name, "file_data": data}
    return [_marked({"type": "file", "file": file}, block)]


def _source(block: JsonObject) -> JsonObject:
    source = block.get("source")
    if not isinstance(source, dict) or not isinstance(source.get("type"), str):
        raise unsupported_part(block.get("type"))
    return source


def _text(source: JsonObject, name: str) -> str:
    value = source.get(name)
    if not isinstance(value, str):
        raise RefusedError(f"A source has no {name}")
    return value


# assistant


def _assistant(content: JsonValue) -> list[JsonObject]:
    texts: list[Part] = []
    details: list[JsonObject] = []
    calls: list[JsonObject] = []
    for block in parts_of(content):
        kind = block.get("type")
        if kind == "text":
            texts.append(_text_part(block))
        elif kind == "tool_use":
            calls.append(_call(block))
        elif kind in ("thinking", "redacted_thinking"):
            details.append(_detail(block, len(details)))
        else:
            raise unsupported_part(kind)
    message: JsonObject = {"role": ASSISTANT, "content": _content(texts) or (None if calls else "")}
    if details:
        message["reasoning_details"] = details
    if calls:
        message["tool_calls"] = calls
    return [message]


def _call(block: JsonObject) -> JsonObject:
    tool_input = block.get("input")
    arguments = encode(tool_input if isinstance(tool_input, dict) else {}).decode()
    return {"id": block.get("id"), "type": "function", "function": {"name": block.get("name"), "arguments": arguments}}


def _detail(block: JsonObject, index: int) -> JsonObject:
    if block.get("type") == "redacted_thinking":
        return written_detail(Detail(ENCRYPTED, _optional(block, "data"), ANTHROPIC, index=index))
    signature = _optional(block, "signature") or None  # without one it is not Anthropic's, who would refuse it
    format_ = ANTHROPIC if signature else None
    return written_detail(Detail(TEXT, _optional(block, "thinking"), format_, signature, index=index))


def _optional(block: JsonObject, name: str) -> str:
    value = block.get(name)
    return value if isinstance(value, str) else ""


# both


def _marked(part: Part, block: JsonObject) -> Part:
    mark = cache_mark(block)
    return {**part, _MARK: mark} if mark else part


def _content(parts: list[Part]) -> str | list[Part]:
    """A single plain text as a string, which every provider takes."""
    if not parts:
        return ""
    if len(parts) == 1 and parts[0].keys() == {"type", "text"}:
        text: str = parts[0]["text"]
        return text
    return parts
