"""Answers as they come in: whatever is sent, however it is cut."""

import json
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tollway.client.answer_reader import ANSWER_BYTES_MAX, AnswerReader, Piece, Reasoning, Text


def line(tree: Any) -> bytes:
    return b"data: " + json.dumps(tree).encode() + b"\n\n"


def delta(**members: Any) -> bytes:
    return line({"choices": [{"delta": members}]})


def call(**members: Any) -> bytes:
    return delta(tool_calls=[members])


END = line({"choices": [{"delta": {}, "finish_reason": "stop"}]})
DONE = b"data: [DONE]\n\n"
STREAM = (
    b": comment\n\n"
    + delta(role="assistant", content="")
    + delta(reasoning="hm ", reasoning_details=[{"type": "reasoning.text", "index": 0, "text": "hm "}])
    + delta(content="Gr\u00fc\u00dfe ")
    + delta(content="an alle")
    + call(index=0, id="c1", function={"name": "read", "arguments": '{"pa'})
    + call(index=1, id="c2", function={"name": "read", "arguments": ""})
    + call(index=0, function={"arguments": 'th":"x"}'})
    + line({"choices": [{"delta": {}, "finish_reason": "tool_calls"}]})
    + line({"choices": [], "usage": {"prompt_tokens": 3, "completion_tokens": 2}})
    + DONE
)


NAMES = st.sampled_from(["choices", "delta", "error", "usage", "tool_calls", "content", "function", "index"])
TREES = st.recursive(
    st.none() | st.text() | st.integers(), lambda inner: st.lists(inner) | st.dictionaries(NAMES, inner), max_leaves=12
)


def read(*pieces: bytes) -> tuple[AnswerReader, list[Piece]]:
    reader = AnswerReader()
    found = [one for data in pieces for one in reader.feed(data)]
    return reader, found + reader.close()


@given(st.lists(st.integers(0, len(STREAM)), max_size=12))
def test_how_it_was_cut_changes_nothing(cuts: list[int]) -> None:
    places = [0, *sorted(cuts), len(STREAM)]
    reader, found = read(*(STREAM[begin:end] for begin, end in pairwise(places)))
    assert found == [Reasoning("hm "), Text("Gr\u00fc\u00dfe "), Text("an alle")]
    assert (reader.error, reader.finish_reason, reader.is_done) == ("", "tool_calls", True)
    assert reader.usage
    assert (reader.usage.prompt_tokens, reader.output_pieces) == (3, 6)
    assert reader.message() == {
        "role": "assistant",
        "content": "Gr\u00fc\u00dfe an alle",
        "tool_calls": [
            {"id": "c1", "type": "function", "function": {"name": "read", "arguments": '{"path":"x"}'}},
            {"id": "c2", "type": "function", "function": {"name": "read", "arguments": "{}"}},
        ],
        "reasoning_details": [{"type": "reasoning.text", "index": 0, "text": "hm "}],
    }


@given(st.lists(st.one_of(st.binary(max_size=40), TREES.map(line)), max_size=8))
def test_nothing_raises(pieces: list[bytes]) -> None:
    reader, _ = read(*pieces)
    reader.message()


@pytest.mark.parametrize(
    ("stream", "text"),
    [
        (delta(content="a") + END, "a"),
        (delta(content="a") + line({"choices": [{"delta": {}}], "usage": {"completion_tokens": 1}}), "a"),
        (delta(content="a") + DONE + delta(content="b"), "a"),
        (delta(content=[{"type": "text", "text": "a"}]) + END, "a"),
        (delta(refusal="no") + END, "no"),
        (END, ""),
    ],
    ids=["no [DONE]", "usage beside an empty delta", "after [DONE]", "parts", "refusal", "nothing"],
)
def test_unusual_streams_are_fine(stream: bytes, text: str) -> None:
    reader, _ = read(stream)
    assert (reader.text, reader.error) == (text, "")


@pytest.mark.parametrize(
    ("event", "error"),
    [
        ({"error": {"message": "gone", "code": 502}}, "gone"),
        ({"error": "gone"}, "the gateway reports an error: gone"),
        ({"error": {"code": 502}}, "the gateway reports an error"),
        ({"error": 1}, "the gateway reports an error"),
    ],
)
def test_an_error_ends_it(event: dict[str, Any], error: str) -> None:
    begun = delta(content="a") + call(index=0, function={"name": "read"})
    reader, found = read(begun + line(event) + delta(content="b"))
    assert (reader.error, found) == (error, [Text("a")])
    assert "tool_calls" not in reader.message(), "its arguments may lack a part"


def test_null_errors_are_none() -> None:
    assert read(line({"error": None, "choices": []}) + END)[0].error == ""


def test_an_answer_that_is_cut_off() -> None:
    assert read(delta(content="a"))[0].error == "the answer ended before its end"


def test_calls_without_an_index() -> None:
    reader, _ = read(
        call(id="a", function={"name": "x", "arguments": "{"}),
        call(function={"arguments": "}"}),
        call(id="b", function={"name": "y"}),
        END,
    )
    assert [(one.id, one.name, one.arguments) for one in reader.calls] == [("a", "x", "{}"), ("b", "y", "")]


def test_a_whole_answer() -> None:
    reader = AnswerReader()
    body = {"choices": [{"message": {"content": "a", "reasoning": "r"}, "finish_reason": "stop"}]}
    assert reader.take_whole(json.dumps(body).encode()) == [Reasoning("r"), Text("a")]
    assert (reader.text, reader.finish_reason) == ("a", "stop")
    bad = AnswerReader()
    assert (bad.take_whole(b"<html>"), bad.error) == ([], "the gateway's answer is not JSON")


def test_memory_is_bounded() -> None:
    reader = AnswerReader()
    piece = delta(content="x" * 500_000)
    for _ in range(ANSWER_BYTES_MAX // len(piece) + 1):
        reader.feed(piece)
    assert reader.error == "the gateway's answer is too large"
    endless = AnswerReader()
    endless.feed(b"data: " + b"x" * 3_000_000)
    assert endless.error == "the gateway's answer is too large"
