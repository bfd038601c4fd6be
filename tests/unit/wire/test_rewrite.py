import json
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.json import encode

from tollway.wire.answer import BOM
from tollway.wire.rewrite import DONE, Disguise, StreamRewriter, rewritten_answer

DISGUISE = Disguise("vendor/shown", "TOLLWAY PROCESSING")
COMMENT = b": TOLLWAY PROCESSING\n\n"
EVENT = b'data: {"id":"c1","model":"ep-2026","choices":[{"index":0,"delta":{"content":"Hi"}}]}\n\n'
SHOWN = b'data: {"id":"c1","model":"vendor/shown","choices":[{"index":0,"delta":{"content":"Hi"}}]}\n\n'

_json: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**40), 2**40) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=8,
)
_member = st.sampled_from(["role", "content", "reasoning", "reasoning_content", "reasoning_details", "tool_calls"])
_usage = st.dictionaries(st.sampled_from(["cost", "cost_details", "is_byok", "prompt_tokens"]), _json)
_choice = st.fixed_dictionaries({}, optional={"index": _json, "delta": st.dictionaries(_member, _json) | _json})
_event = st.fixed_dictionaries(
    {},
    optional={
        "id": _json,
        "model": _json,
        "usage": _usage | _json,
        "choices": st.lists(_choice, max_size=3) | _json,
        "error": _json,
    },
)
_line_end = st.sampled_from([b"\n", b"\r\n", b"\r"])
_piece = st.one_of(
    _event.map(lambda event: b"data: " + encode(event)),
    st.sampled_from([b"data", b"data:", b": hello", b":", b"event: x", b"id: 1", b"data: [DONE]", b"data: {bad", b""]),
    st.binary(max_size=12),
)


@st.composite
def _streams(draw: st.DrawFn) -> bytes:
    """Lines, blank lines and rubbish, with any line ends."""
    pieces = draw(st.lists(st.tuples(_piece, _line_end, st.booleans(), _line_end), max_size=12))
    body = b"".join(piece + end + (blank if twice else b"") for piece, end, twice, blank in pieces)
    return draw(st.sampled_from([b"", BOM])) + body


def rewritten(*pieces: bytes, disguise: Disguise = DISGUISE) -> bytes:
    rewriter = StreamRewriter(disguise)
    return b"".join([*map(rewriter.feed, pieces), rewriter.close()])


def events_of(stream: bytes) -> list[Any]:
    """Data of the events but the last, which is [DONE]; nothing but data lines and the comment is there."""
    *blocks, last, nothing = stream.split(b"\n\n")
    assert (last, nothing) == (b"data: [DONE]", b"")
    found = []
    for block in blocks:
        assert b"\n" not in block
        assert b"\r" not in block
        if block + b"\n\n" != COMMENT:
            assert block.startswith(b"data: ")
            found.append(json.loads(block[6:]))
    return found


@given(_streams(), st.lists(st.integers(0, 400), max_size=8))
def test_how_the_bytes_were_cut_changes_nothing(stream: bytes, cuts: list[int]) -> None:
    whole = rewritten(stream)
    places = [0, *sorted(min(cut, len(stream)) for cut in cuts), len(stream)]
    assert rewritten(*[stream[begin:end] for begin, end in pairwise(places)]) == whole
    assert rewritten(*[stream[at : at + 1] for at in range(len(stream))]) == whole


@given(_streams())
def test_nothing_that_is_hidden_comes_through(stream: bytes) -> None:
    for event in events_of(rewritten(stream)):
        assert isinstance(event, dict)
        assert event.get("model", "") in (None, "", "vendor/shown", 0, False, [], {})
        assert event["choices"] is not None
        if isinstance(event.get("usage"), dict):
            assert event["usage"].keys().isdisjoint({"cost", "cost_details", "is_byok"})


@given(_streams())
def test_what_is_rewritten_already_stays_as_it_is(stream: bytes) -> None:
    once = rewritten(stream)
    assert rewritten(once) == once


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r"])
def test_an_event_leaves_as_soon_as_it_is_complete(end: bytes) -> None:
    rewriter = StreamRewriter(DISGUISE)
    event = EVENT.replace(b"\n", end)
    assert rewriter.feed(event[: -len(end)]) == b""
    assert rewriter.feed(event[-len(end) :]) == SHOWN
    assert rewriter.feed(b": x" + end) == COMMENT
    assert rewriter.close() == DONE


def test_an_empty_piece_between_cr_and_lf_is_nothing() -> None:
    assert rewritten(b"data: {\r", b"", b"\ndata: }\r\n\r\n") == b'data: {"choices":[]}\n\n' + DONE


def test_an_event_without_its_blank_line_or_line_end_counts() -> None:
    assert rewritten(EVENT[:-1]) == rewritten(EVENT[:-2]) == SHOWN + DONE


def test_done_is_said_once_and_nothing_comes_after_it() -> None:
    assert rewritten(EVENT, DONE, DONE, EVENT) == SHOWN + DONE
    assert rewritten(EVENT, b"data: [DONE] and more\n\n", EVENT) == SHOWN + DONE
    assert rewritten() == DONE


def test_only_data_is_said_again() -> None:
    assert rewritten(b"event: x\nid: 1\nretry: 5\nnonsense\n" + EVENT) == SHOWN + DONE
    assert rewritten(b"event: x\n\n") == DONE
    assert rewritten(BOM + EVENT) == SHOWN + DONE


def test_what_is_no_object_is_left_out_and_counted() -> None:
    rewriter = StreamRewriter(DISGUISE)
    assert rewriter.feed(b'data: {bad\n\ndata: 5\n\ndata:\n\ndata: ["ep-2026"]\n\n' + EVENT) == SHOWN
    assert rewriter.dropped == 4
    deep = b'{"a":' * 900 + b"1" + b"}" * 900  # could be read, and not written again
    assert rewriter.feed(b"data: %b\n\n" % deep) == b""


def test_bytes_that_are_no_text_do_not_cost_the_event() -> None:
    assert events_of(rewritten(b'data: {"x":"a\xff\xc3b"}\n\n')) == [{"x": "a\ufffd\ufffdb", "choices": []}]


@pytest.mark.parametrize("model", [None, "", 0])
def test_an_absent_model_stays_absent(model: object) -> None:
    assert events_of(rewritten(b"data: %b\n\n" % encode({"model": model})))[0]["model"] == model
    assert "model" not in events_of(rewritten(b"data: {}\n\n"))[0]


def test_prices_are_gone_and_tokens_stay() -> None:
    usage = {"prompt_tokens": 3, "cost": 1.5, "cost_details": {"upstream_inference_cost": 1}, "is_byok": True}
    assert events_of(rewritten(b"data: %b\n\n" % encode({"usage": usage})))[0]["usage"] == {"prompt_tokens": 3}
    assert json.loads(rewritten_answer(encode({"usage": usage}), DISGUISE)) == {"usage": {"prompt_tokens": 3}}


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (
            {"reasoning_content": "a"},
            {"reasoning": "a", "reasoning_details": [{"type": "reasoning.text", "text": "a"}]},
        ),
        (
            {"reasoning_content": "a", "reasoning": "", "reasoning_details": []},
            {"reasoning": "a", "reasoning_details": []},
        ),
        ({"reasoning_content": ""}, {"reasoning_content": ""}),
        ({"reasoning_content": None}, {"reasoning_content": None}),
        ({"reasoning_content": ["a"]}, {"reasoning_content": ["a"]}),
        ({"reasoning": "b"}, {"reasoning": "b"}),
    ],
)
def test_reasoning_has_the_names_that_clients_know(given: dict[str, Any], expected: dict[str, Any]) -> None:
    [event] = events_of(rewritten(b"data: %b\n\n" % encode({"choices": [{"delta": given}]})))
    assert event["choices"][0]["delta"] == expected
    answer = json.loads(rewritten_answer(encode({"choices": [{"message": given}]}), DISGUISE))
    assert answer["choices"][0]["message"] == expected


def test_only_a_null_role_is_removed() -> None:
    for role, expected in ((None, {}), ("assistant", {"role": "assistant"})):
        [event] = events_of(rewritten(b"data: %b\n\n" % encode({"choices": [{"delta": {"role": role}}]})))
        assert event["choices"][0]["delta"] == expected


def test_an_errors_text_can_be_replaced() -> None:
    told = {"error": {"message": "Acme is down", "code": 502}}
    quiet = Disguise("m", "c", error="unable")
    assert events_of(rewritten(b"data: %b\n\n" % encode(told)))[0]["error"] == told["error"]
    assert events_of(rewritten(b"data: %b\n\n" % encode(told), disguise=quiet))[0]["error"] == {"message": "unable"}
    assert events_of(rewritten(b'data: {"error":null}\n\n', disguise=quiet))[0]["error"] is None
    assert b"Acme" not in rewritten_answer(encode(told), quiet)


def test_the_comment_is_the_operators() -> None:
    assert rewritten(b": vendor\n\n", disguise=Disguise("m", "STILL HERE")) == b": STILL HERE\n\n" + DONE


def test_a_whole_answer_has_no_more_choices_than_it_had() -> None:
    body = encode({"model": "ep-2026", "choices": None, "usage": None})
    assert json.loads(rewritten_answer(BOM + body, DISGUISE)) == {
        "model": "vendor/shown",
        "choices": None,
        "usage": None,
    }


DEEP = b'{"a":' * 500 + b"1" + b"}" * 500  # could be read, and not written again


@pytest.mark.parametrize("body", [b"", b"<html>", b"[1]", b'{"model":', b"[" * 100_000, b'{"x":"\\ud83d"}', DEEP])
def test_of_what_is_no_answer_nothing_is_shown(body: bytes) -> None:
    assert rewritten_answer(body, DISGUISE) == b""


@given(st.binary(max_size=60))
def test_nothing_raises(body: bytes) -> None:
    rewritten_answer(body, DISGUISE)
    rewritten(body)
