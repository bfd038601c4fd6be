"""Random answers of a model, told in the words of the Responses API, and what a chat client makes of a stream."""

import itertools
import json
from dataclasses import dataclass
from typing import Any

from hypothesis import strategies as st

from tollway.wire.dialects.details import OPENAI

USAGE = {
    "input_tokens": 100,
    "input_tokens_details": {"cached_tokens": 60},
    "output_tokens": 30,
    "output_tokens_details": {"reasoning_tokens": 12},
}
CHAT_USAGE = {
    "prompt_tokens": 100,
    "completion_tokens": 30,
    "total_tokens": 130,
    "prompt_tokens_details": {"cached_tokens": 60},
    "completion_tokens_details": {"reasoning_tokens": 12},
}


@dataclass(frozen=True)
class Thought:
    """`parts`: pieces of text, part by part."""

    id: str
    parts: tuple[tuple[str, ...], ...]
    sealed: str


@dataclass(frozen=True)
class Speech:
    pieces: tuple[str, ...]


@dataclass(frozen=True)
class Call:
    id: str
    name: str
    fragments: tuple[str, ...]


Item = Thought | Speech | Call

PIECES = st.lists(st.text(min_size=1, max_size=4), min_size=1, max_size=3).map(tuple)
SPEECHES = st.builds(Speech, PIECES)
FRAGMENTS = st.sampled_from([(), ("{}",), ('{"a":', "1}"), ('{"text":"', "\\n", '"}')])


@st.composite
def answers(draw: st.DrawFn) -> list[Item]:
    """Items as models make them, each with an id of its own."""
    items: list[Item] = []
    for number, kind in enumerate(draw(st.lists(st.sampled_from(["think", "say", "call"]), max_size=6))):
        if kind == "think":
            parts = draw(st.lists(PIECES, max_size=3).map(tuple))
            items.append(Thought(f"rs_{number}", parts, draw(st.sampled_from(["ENC", "QUJD"]))))
        elif kind == "say":
            items.append(draw(SPEECHES))
        else:
            items.append(Call(f"call_{number}", draw(st.sampled_from(["ls", "read"])), draw(FRAGMENTS)))
    return items


def item_value(item: Item) -> dict[str, Any]:
    """The item when it is done."""
    if isinstance(item, Thought):
        summary = [{"type": "summary_text", "text": "".join(pieces)} for pieces in item.parts]
        return {"type": "reasoning", "id": item.id, "encrypted_content": item.sealed, "summary": summary}
    if isinstance(item, Speech):
        content = [{"type": "output_text", "text": "".join(item.pieces)}]
        return {"type": "message", "role": "assistant", "content": content}
    arguments = "".join(item.fragments)
    return {"type": "function_call", "id": "fc", "call_id": item.id, "name": item.name, "arguments": arguments}


def response(items: list[Item], **members: Any) -> dict[str, Any]:
    return {"id": "resp_1", "output": [item_value(item) for item in items], "usage": USAGE, **members}


def told(items: list[Item], **members: Any) -> list[dict[str, Any]]:
    """The events of an answer."""
    events: list[dict[str, Any]] = [{"type": "response.created", "response": {"id": "resp_1"}}]
    for place, item in enumerate(items):
        value = item_value(item)
        began = {**value, "summary": [], "encrypted_content": None} if isinstance(item, Thought) else {**value}
        at = {"output_index": place}
        events.append({"type": "response.output_item.added", **at, "item": began})
        events += [{**event, **at} for event in _pieces(item)]
        events.append({"type": "response.output_item.done", **at, "item": value})
    return [*events, {"type": "response.completed", "response": response(items, **members)}]


def _pieces(item: Item) -> list[dict[str, Any]]:
    if isinstance(item, Speech):
        return [{"type": "response.output_text.delta", "delta": piece} for piece in item.pieces]
    if isinstance(item, Call):
        return [{"type": "response.function_call_arguments.delta", "delta": piece} for piece in item.fragments]
    events: list[dict[str, Any]] = []
    for place, pieces in enumerate(item.parts):
        at = {"item_id": item.id, "summary_index": place}
        events.append({"type": "response.reasoning_summary_part.added", **at})
        events += [{"type": "response.reasoning_summary_text.delta", **at, "delta": piece} for piece in pieces]
        events.append({"type": "response.reasoning_summary_part.done", **at})
    return events


def stream_bytes(events: list[dict[str, Any]]) -> bytes:
    return b"".join(f"event: {one['type']}\ndata: {json.dumps(one)}\n\n".encode() for one in events)


def cut(stream: bytes, at: list[int]) -> list[bytes]:
    edges = sorted({0, len(stream), *(place % (len(stream) + 1) for place in at)})
    return [stream[a:b] for a, b in itertools.pairwise(edges)]


CUTS = st.lists(st.integers(min_value=0), max_size=8)


def message_of(items: list[Item]) -> dict[str, Any]:
    """What a chat client should have in the end."""
    details: list[dict[str, Any]] = []
    for item in items:
        if isinstance(item, Thought):
            mark = {"id": item.id, "format": OPENAI}
            details += [{"type": "reasoning.text", "text": "".join(pieces), **mark} for pieces in item.parts]
            details.append({"type": "reasoning.encrypted", "data": item.sealed, **mark})
    return {
        "content": "".join("".join(item.pieces) for item in items if isinstance(item, Speech)),
        "details": details,
        "calls": [(item.id, item.name, "".join(item.fragments) or "{}") for item in items if isinstance(item, Call)],
    }


def chunks_of(stream: bytes) -> list[dict[str, Any]]:
    events = [event.removeprefix(b"data: ") for event in stream.split(b"\n\n")[:-1]]
    return [json.loads(event) for event in events if event != b"[DONE]"]


def heard(stream: bytes) -> dict[str, Any]:
    """What a chat client makes of a stream: texts joined, details and calls merged by their index."""
    content, calls, details = "", {}, {}
    for chunk in chunks_of(stream):
        delta = chunk["choices"][0]["delta"]
        content += delta.get("content", "")
        for one in delta.get("reasoning_details", ()):
            known = details.setdefault((one["index"], one["type"]), {**one, "text": ""} if "text" in one else one)
            if "text" in one:
                known["text"] += one["text"]
        for one in delta.get("tool_calls", ()):
            known = calls.setdefault(one["index"], [one.get("id"), one["function"].get("name"), ""])
            known[2] += one["function"].get("arguments", "")
    for one in details.values():
        del one["index"]
    return {"content": content, "details": list(details.values()), "calls": [tuple(call) for call in calls.values()]}
