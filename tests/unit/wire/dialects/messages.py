"""Random things of Anthropic Messages: content of answers with the events that stream it, and whole conversations."""

import itertools
import json
from typing import Any

from hypothesis import strategies as st

Block = dict[str, Any]

TEXTS = st.text(st.sampled_from('ab"\\\n\r\u2028é😀 {'), min_size=1, max_size=6)
INPUTS = st.dictionaries(TEXTS, st.integers(-5, 5) | TEXTS | st.lists(st.booleans(), max_size=2), max_size=2)
TEXT = st.builds(lambda text: {"type": "text", "text": text}, TEXTS)
THINKING = st.builds(
    lambda text, signature: {"type": "thinking", "thinking": text, "signature": signature},
    TEXTS | st.just(""),
    st.sampled_from(["SIG", "S2"]),
)
REDACTED = st.sampled_from(["D", "D2"]).map(lambda data: {"type": "redacted_thinking", "data": data})
TOOLS = st.builds(lambda name, given: {"type": "tool_use", "name": name, "input": given}, st.sampled_from("fg"), INPUTS)
STOP_REASONS = st.sampled_from(["end_turn", "max_tokens", "refusal"])


def with_ids(content: list[Block], ids: "itertools.count[int]") -> list[Block]:
    return [block | {"id": f"toolu_{next(ids)}"} if block["type"] == "tool_use" else block for block in content]


CONTENTS = st.lists(TEXT | THINKING | REDACTED | TOOLS, max_size=5).map(lambda one: with_ids(one, itertools.count()))
USAGES = st.fixed_dictionaries(
    {
        name: st.integers(0, 1_000)
        for name in ("input_tokens", "cache_creation_input_tokens", "cache_read_input_tokens", "output_tokens")
    }
)


@st.composite
def answers(draw: st.DrawFn) -> dict[str, Any]:
    content = draw(CONTENTS)
    calls = any(block["type"] == "tool_use" for block in content)
    return {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": "m",
        "content": content,
        "stop_reason": "tool_use" if calls else draw(STOP_REASONS),
        "stop_sequence": None,
        "usage": draw(USAGES),
    }


def merged(content: list[Block]) -> list[Block]:
    """Neighbouring texts are one: chat has no border between them."""
    found: list[Block] = []
    for block in content:
        if found and block["type"] == found[-1]["type"] == "text":
            found[-1] = {"type": "text", "text": found[-1]["text"] + block["text"]}
        else:
            found.append(block)
    return found


def in_chat_order(content: list[Block]) -> list[Block]:
    """Thinking, text, calls: a chat message has no other order."""
    order = {"thinking": 0, "redacted_thinking": 0, "text": 1, "tool_use": 2}
    return merged(sorted(content, key=lambda block: order[block["type"]]))


def sse(event: dict[str, Any]) -> bytes:
    return b"event: %b\ndata: %b\n\n" % (str(event["type"]).encode(), json.dumps(event).encode())


def events_of(answer: dict[str, Any], piece_size: int = 2) -> list[dict[str, Any]]:
    """The events that stream an answer, its texts in pieces."""
    start = {name: count for name, count in answer["usage"].items() if name != "output_tokens"}
    found: list[dict[str, Any]] = [
        {"type": "message_start", "message": {**answer, "content": [], "stop_reason": None, "usage": start}}
    ]
    for index, block in enumerate(answer["content"]):
        found += [{"type": one.pop("type"), "index": index, **one} for one in _block_events(block, piece_size)]
    found.append(
        {
            "type": "message_delta",
            "delta": {"stop_reason": answer["stop_reason"], "stop_sequence": None},
            "usage": {"output_tokens": answer["usage"]["output_tokens"]},
        }
    )
    return [*found, {"type": "message_stop"}]


def _block_events(block: Block, piece_size: int) -> list[dict[str, Any]]:
    empty = {"text": {"text": ""}, "thinking": {"thinking": "", "signature": ""}, "tool_use": {"input": {}}}
    kind = block["type"]
    deltas: list[dict[str, Any]] = []
    if kind == "text":
        deltas = [{"type": "text_delta", "text": one} for one in _pieces(block["text"], piece_size)]
    elif kind == "thinking":
        deltas = [{"type": "thinking_delta", "thinking": one} for one in _pieces(block["thinking"], piece_size)]
        deltas.append({"type": "signature_delta", "signature": block["signature"]})
    elif kind == "tool_use" and block["input"]:
        text = json.dumps(block["input"])
        deltas = [{"type": "input_json_delta", "partial_json": one} for one in _pieces(text, piece_size)]
    return [
        {"type": "content_block_start", "content_block": {**block, **empty.get(kind, {})}},
        *({"type": "content_block_delta", "delta": delta} for delta in deltas),
        {"type": "content_block_stop"},
    ]


def _pieces(text: str, size: int) -> list[str]:
    return [text[at : at + size] for at in range(0, len(text), size)]


def message_of(stream: bytes) -> dict[str, Any]:
    """What a client makes of a stream of events; it insists on their order."""
    events = [json.loads(one.partition(b"\ndata: ")[2]) for one in stream.split(b"\n\n") if one]
    assert [one["type"] for one in events[-2:]] == ["message_delta", "message_stop"]
    message: dict[str, Any] = {}
    inputs: dict[int, str] = {}
    open_block: int | None = None
    for event in events:
        kind = event["type"]
        if kind == "message_start":
            assert not message
            message = event["message"]
        elif kind == "content_block_start":
            assert open_block is None
            assert event["index"] == len(message["content"])
            open_block = event["index"]
            message["content"].append(event["content_block"])
        elif kind == "content_block_delta":
            assert event["index"] == open_block
            _apply(message["content"][-1], event["delta"], inputs, event["index"])
        elif kind == "content_block_stop":
            assert event["index"] == open_block
            open_block = None
        elif kind == "message_delta":
            assert open_block is None
            message |= event["delta"]
            message["usage"] |= event["usage"]
    for index, text in inputs.items():
        message["content"][index]["input"] = json.loads(text)
    return message


def _apply(block: Block, delta: dict[str, Any], inputs: dict[int, str], index: int) -> None:
    wanted = {"text_delta": "text", "thinking_delta": "thinking", "signature_delta": "thinking"}
    assert block["type"] == wanted.get(delta["type"], "tool_use")
    if delta["type"] == "input_json_delta":
        inputs[index] = inputs.get(index, "") + delta["partial_json"]
    else:
        name = delta["type"].removesuffix("_delta")
        block[name] += delta[name]


IMAGES = st.sampled_from(
    [
        {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "iVBORw0KGgo="}},
        {"type": "image", "source": {"type": "url", "url": "https://x/y.png"}},
    ]
)
DOCUMENTS = st.sampled_from(
    [
        {
            "type": "document",
            "source": {"type": "base64", "media_type": "application/pdf", "data": "JVBERi0="},
            "title": "a.pdf",
        },
        {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "é\n"}, "title": "a.txt"},
    ]
)
MARKS = st.sampled_from([{}, {}, {"cache_control": {"type": "ephemeral"}}])


def _marked(blocks: st.SearchStrategy[Block]) -> st.SearchStrategy[Block]:
    return st.builds(lambda block, mark: {**block, **mark}, blocks, MARKS)


RESULT_CONTENTS = TEXTS | st.lists(TEXT | IMAGES.filter(lambda one: one["source"]["type"] == "base64"), max_size=2)


@st.composite
def requests(draw: st.DrawFn) -> dict[str, Any]:
    """A conversation that a client might send: turns of user and assistant, every call with its result."""
    ids = itertools.count()
    messages: list[dict[str, Any]] = []
    calls: list[str] = []
    for _ in range(draw(st.integers(1, 3))):
        results = [{"type": "tool_result", "tool_use_id": one, "content": draw(RESULT_CONTENTS)} for one in calls]
        said = draw(st.lists(_marked(TEXT | IMAGES | DOCUMENTS), min_size=not results, max_size=3))
        messages.append({"role": "user", "content": results + said})
        content = with_ids(draw(st.lists(TEXT | THINKING | REDACTED | TOOLS, min_size=1, max_size=4)), ids)
        calls = [block["id"] for block in content if block["type"] == "tool_use"]
        messages.append({"role": "assistant", "content": content})
    messages.pop()
    body: dict[str, Any] = {"model": "m", "max_tokens": 100, "messages": messages}
    if draw(st.booleans()):
        body["tools"] = [{"name": "f", "description": "d", "input_schema": {"type": "object"}}]
        choice = draw(st.sampled_from([{"type": "auto"}, {"type": "any"}, {"type": "tool", "name": "f"}]))
        body["tool_choice"] = {**choice, "disable_parallel_tool_use": draw(st.booleans())}
    return body
