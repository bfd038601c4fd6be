"""Pieces: the events of a stream and the halves of a JSON body say the same."""

import json
from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tollway.sim.answer import (
    Draft,
    Kind,
    Piece,
    error_event,
    json_pieces,
    mark_strike,
    stream_pieces,
    with_running_usage,
)
from tollway.sim.control import Control, Fault, UsageMode
from tollway.sim.models import MODELS
from tollway.sim.plan import make_draft
from tollway.sim.request import ChatRequest, Function, Message, Tool, UsageWish

FOUR_CHUNKS = Control(chunks=4)


def draft(model: str = "sim/story", control: Control = FOUR_CHUNKS, **request: object) -> Draft:
    asked = ChatRequest(model, [Message("user", "a b")], stream=True, usage=UsageWish(True), **request)  # type: ignore[arg-type]
    return make_draft(asked, MODELS[model], control, "gen-1", 17, 9)


def events(pieces: Iterable[Piece]) -> list[dict[str, object]]:
    texts = b"".join(piece.data for piece in pieces).decode().split("\n\n")
    return [json.loads(text.removeprefix("data: ")) for text in texts if text and text != "data: [DONE]"]


def test_a_stream_is_role_words_finish_usage_done() -> None:
    pieces = list(stream_pieces(draft()))
    kinds = [piece.kind for piece in pieces]
    assert kinds == [Kind.OPENING, *[Kind.DELTA] * 4, Kind.FINISH, Kind.USAGE, Kind.LAST]
    said = events(pieces)
    assert {(e["id"], e["model"], e["created"], e["object"]) for e in said} == {
        ("gen-1", "sim/story", 17, "chat.completion.chunk")
    }
    assert said[0]["choices"][0]["delta"] == {"role": "assistant", "content": ""}  # type: ignore[index]
    assert said[-2]["choices"][0]["finish_reason"] == "stop"  # type: ignore[index]
    assert said[-1]["usage"]["completion_tokens"] == 4  # type: ignore[index]
    assert pieces[-1].data == b"data: [DONE]\n\n"


def test_usage_only_if_wanted() -> None:
    asked = ChatRequest("sim/story", [], stream=True)
    quiet = make_draft(asked, MODELS["sim/story"], Control(), "gen-1", 17, 1)
    assert not any("usage" in event for event in events(stream_pieces(quiet)))


@pytest.mark.parametrize(
    ("mode", "usages"),
    [(None, [4]), (UsageMode.OMIT, []), (UsageMode.NULL, [None]), (UsageMode.TWICE, [2, 4])],
)
def test_usage_modes(mode: UsageMode | None, usages: list[int | None]) -> None:
    said = events(stream_pieces(draft(control=Control(chunks=4, usage=mode))))
    reported = [event["usage"] for event in said if "usage" in event]
    assert [usage and usage["completion_tokens"] for usage in reported] == usages  # type: ignore[index]


def test_null_usage_on_all_chunks_but_the_last() -> None:
    said = events(stream_pieces(draft(control=Control(chunks=2, usage=UsageMode.NULLS))))
    assert [event["usage"] is None for event in said] == [True, True, True, True, False]


def test_running_usage() -> None:
    asked = draft("sim/reasoner", Control(chunks=2, reasoning_tokens=1, usage=UsageMode.EVERY))
    said = events(with_running_usage(asked, stream_pieces(asked)))
    assert [e["usage"]["completion_tokens"] for e in said] == [0, 1, 2, 3, 3, 3]  # type: ignore[index]
    assert said[1]["usage"]["completion_tokens_details"] == {"reasoning_tokens": 1}  # type: ignore[index]


def test_a_tool_call_is_streamed_in_pieces() -> None:
    asked = draft("sim/toolsmith", Control(), tools=[Tool(Function("f", {"properties": {"city": {}}}))])
    calls = [
        call
        for event in events(stream_pieces(asked))
        for choice in event["choices"]  # type: ignore[attr-defined]
        for call in choice["delta"].get("tool_calls", [])
    ]
    assert (calls[0]["id"], calls[0]["function"]["name"]) == ("call_1", "f")
    assert len(calls) > 2
    assert json.loads("".join(call["function"]["arguments"] for call in calls)) == {"city": "stand-in"}
    whole = json.loads(b"".join(piece.data for piece in json_pieces(asked)))
    assert json.loads(whole["choices"][0]["message"]["tool_calls"][0]["function"]["arguments"]) == {"city": "stand-in"}
    assert whole["choices"][0]["finish_reason"] == "tool_calls"


def test_cached_tokens() -> None:
    assert draft("sim/cached").cached_tokens == 5
    assert draft("sim/cached", Control(cached_tokens=99)).cached_tokens == 99
    assert draft().cached_tokens == 0


def test_an_empty_answer() -> None:
    empty = draft(control=Control(fault=Fault.EMPTY))
    assert [event["choices"][0]["finish_reason"] for event in events(stream_pieces(empty))] == [None]  # type: ignore[index]
    whole = json.loads(b"".join(piece.data for piece in json_pieces(empty)))
    assert (whole["choices"][0]["message"]["content"], whole["usage"]["completion_tokens"]) == ("", 0)


def test_json_without_usage() -> None:
    asked = draft(control=Control(usage=UsageMode.OMIT))
    assert "usage" not in json.loads(b"".join(piece.data for piece in json_pieces(asked)))


def test_no_done() -> None:
    assert list(stream_pieces(draft(control=Control(fault=Fault.NO_DONE))))[-1] == Piece(Kind.LAST, b"")


def test_the_error_event_is_openrouters() -> None:
    (said,) = events([Piece(Kind.OPENING, error_event(draft()))])
    assert said["error"]["code"] == "server_error"  # type: ignore[index]
    assert said["choices"] == [{"index": 0, "delta": {"content": ""}, "finish_reason": "error"}]


@given(st.integers(0, 6), st.integers(0, 9))
def test_the_strike_comes_after_so_many_chunks(chunks: int, at: int) -> None:
    kinds = [piece.kind for piece in mark_strike(stream_pieces(draft(control=Control(chunks=chunks))), at)]
    assert kinds.count(Kind.STRIKE) == 1
    assert kinds[: kinds.index(Kind.STRIKE)].count(Kind.DELTA) == min(at, chunks)


@given(
    model=st.sampled_from(sorted(MODELS)),
    chunks=st.integers(0, 9),
    size=st.integers(1, 3),
    choices=st.integers(1, 3),
    limit=st.none() | st.integers(1, 30),
)
def test_stream_and_json_agree(model: str, chunks: int, size: int, choices: int, limit: int | None) -> None:
    asked = draft(model, Control(chunks=chunks, tokens_per_chunk=size), n=choices, max_tokens=limit)
    streamed, halves = list(stream_pieces(asked)), list(json_pieces(asked))
    whole = json.loads(b"".join(piece.data for piece in halves))
    for index in range(choices):
        parts = [c for e in events(streamed) for c in e["choices"] if c["index"] == index]  # type: ignore[attr-defined]
        message = whole["choices"][index]["message"]
        assert "".join(part["delta"].get("content") or "" for part in parts) == message["content"]
        assert "".join(part["delta"].get("reasoning", "") for part in parts) == message.get("reasoning", "")
        assert parts[-1]["finish_reason"] == whole["choices"][index]["finish_reason"]
    assert events(streamed)[-1]["usage"] == whole["usage"]
    assert sum(p.completion_tokens for p in streamed) == whole["usage"]["completion_tokens"]
    assert sum(p.completion_tokens for p in halves) == whole["usage"]["completion_tokens"]
    assert sum(p.reasoning_tokens for p in streamed) == sum(p.reasoning_tokens for p in halves)
