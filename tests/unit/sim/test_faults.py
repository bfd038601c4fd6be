"""Faults inside a body: what is added, and that what was good stays."""

from itertools import islice

from tollway.sim.answer import Kind, Piece
from tollway.sim.control import Control, Fault
from tollway.sim.faults import FAKE_ANSWER, spoil_json, spoil_stream
from tollway.sim.models import find_model
from tollway.sim.plan import make_draft
from tollway.sim.request import ChatRequest

PIECES = (Piece(Kind.OPENING, b'{"a":', 3), Piece(Kind.STRIKE, b""), Piece(Kind.LAST, b"1}"))


def spoiled(fault: Fault | None, *, stream: bool) -> list[Piece]:
    control = Control(fault=fault, bytes=100)
    draft = make_draft(ChatRequest("m", [], stream=stream), find_model("m"), control, "gen-1", 1, 1)
    return list(islice((spoil_stream if stream else spoil_json)(draft, iter(PIECES)), 100))


def test_no_fault_changes_nothing() -> None:
    for fault in (None, Fault.STALL):
        for stream in (True, False):
            assert spoiled(fault, stream=stream) == list(PIECES)


def test_a_stream_is_struck_at_its_mark() -> None:
    pieces = spoiled(Fault.LONG_LINE, stream=True)
    assert [pieces[0], pieces[-1]] == [PIECES[0], PIECES[-1]]
    assert len(pieces[1].data) == 102
    assert spoiled(Fault.AFTER_DONE, stream=True)[-1].data.endswith(FAKE_ANSWER + b"\n\n")
    assert spoiled(Fault.ERROR_EVENT, stream=True)[-1].data == b"data: [DONE]\n\n"


def test_a_json_body_is_spoiled_as_a_whole_and_keeps_its_tokens() -> None:
    for fault in (Fault.GARBAGE, Fault.BAD_JSON, Fault.LONG_LINE, Fault.ERROR_EVENT):
        first, last = spoiled(fault, stream=False)
        assert first.data + last.data != b'{"a":1}'
        assert (first.completion_tokens, last.kind) == (3, Kind.LAST)
    assert len(spoiled(Fault.ENDLESS, stream=False)) == 100


def test_the_fake_answer_is_well_framed() -> None:
    head, body = FAKE_ANSWER.split(b"\r\n\r\n")
    assert head.endswith(b"content-length: %d" % len(body))
