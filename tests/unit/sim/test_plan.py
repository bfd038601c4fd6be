"""Plans: the steps of whole answers, without a socket."""

import gzip
import json
import re
from itertools import islice

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tollway.sim.control import PLAIN, Control, Fault, LineEnd, UsageMode
from tollway.sim.faults import FAKE_ANSWER
from tollway.sim.models import find_model
from tollway.sim.plan import make_draft, plan_answer, plan_refusal, plan_replay, refusal_asked_for
from tollway.sim.refusal import Refusal
from tollway.sim.request import ChatRequest, Message, UsageWish
from tollway.sim.steps import Ended, Leave, Send, Step, Wait

ENDED_BY_FAULT = {
    Fault.STALL,
    Fault.STALL_HEADERS,
    Fault.RESET,
    Fault.RESET_BEFORE,
    Fault.CLOSE_BEFORE,
    Fault.HALF_CLOSE,
    Fault.CUT,
    Fault.END_EARLY,
    Fault.ERROR_EVENT,
    Fault.REDIRECT,
    Fault.NOT_HTTP,
}
LEAVES = {
    Fault.STALL: Leave.HOLD,
    Fault.STALL_HEADERS: Leave.HOLD,
    Fault.HANG_AFTER_DONE: Leave.HOLD,
    Fault.RESET: Leave.RESET,
    Fault.RESET_BEFORE: Leave.RESET,
    Fault.CLOSE_BEFORE: Leave.CLOSE,
    Fault.CUT: Leave.CLOSE,
    Fault.SHORT_LENGTH: Leave.CLOSE,
    Fault.NOT_HTTP: Leave.CLOSE,
    Fault.HALF_CLOSE: Leave.HALF_CLOSE,
}


def plan(control: Control = PLAIN, *, stream: bool = True, keep_alive: bool = True) -> list[Step]:
    request = ChatRequest("sim/story", [Message("user", "x")], stream=stream, usage=UsageWish(True))
    draft = make_draft(request, find_model("sim/story"), control, "gen-1", 17, 1)
    return list(islice(plan_answer(draft, keep_alive), 30_000))


def wire(steps: list[Step]) -> bytes:
    return b"".join(step.data for step in steps if isinstance(step, Send))


def body(steps: list[Step]) -> bytes:
    head, _, rest = wire(steps).partition(b"\r\n\r\n")
    if b"transfer-encoding: chunked" not in head:
        return rest
    data = b""
    while rest and (size := int(rest.split(b"\r\n", 1)[0], 16)):
        chunk = rest.split(b"\r\n", 1)[1]
        data, rest = data + chunk[:size], chunk[size + 2 :]
    return data


@pytest.mark.parametrize("stream", [True, False], ids=["stream", "json"])
@pytest.mark.parametrize("fault", [None, *Fault])
def test_every_answer_ends_once_and_leaves_once(fault: Fault | None, stream: bool) -> None:
    steps = plan(Control(fault=fault, drip_ms=0, bytes=5000), stream=stream)
    if fault is Fault.ENDLESS:
        assert not any(isinstance(step, Ended | Leave) for step in steps)
        return
    endings = [step for step in steps if isinstance(step, Ended)]
    assert endings == [Ended(fault.value if fault in ENDED_BY_FAULT and fault else "complete")]
    assert [step for step in steps if isinstance(step, Leave)] == [LEAVES.get(fault, Leave.KEEP_ALIVE)]  # type: ignore[arg-type]
    assert isinstance(steps[-1], Leave)
    unanswered = not any(isinstance(step, Send) for step in steps) or fault is Fault.NOT_HTTP
    assert unanswered or wire(steps).startswith(b"HTTP/1.1 ")


@pytest.mark.parametrize("fault", [Fault.STALL, Fault.RESET, Fault.HALF_CLOSE, Fault.CUT, Fault.END_EARLY])
@pytest.mark.parametrize("at", [0, 3, 24, 99])
def test_a_stream_stops_after_so_many_tokens(fault: Fault, at: int) -> None:
    steps = plan(Control(fault=fault, at=at))
    assert sum(step.completion_tokens for step in steps if isinstance(step, Send)) == min(at, 24)
    assert b"[DONE]" not in wire(steps)
    assert wire(steps).endswith(b"0\r\n\r\n") == (fault is Fault.END_EARLY)


def test_a_json_answer_stops_in_the_middle() -> None:
    whole = wire(plan(stream=False))
    stopped = wire(plan(Control(fault=Fault.STALL), stream=False))
    assert whole.startswith(stopped)
    assert b"\r\n\r\n{" in stopped


def test_the_record_comes_before_the_last_bytes() -> None:
    for stream in (True, False):
        steps = plan(stream=stream)
        before = wire(steps[: steps.index(Ended("complete"))])
        assert b"[DONE]" not in before
        assert wire(steps).startswith(before)
        assert before != wire(steps)


def test_an_answer_on_a_last_connection_closes_it() -> None:
    steps = plan(keep_alive=False)
    assert steps[-1] is Leave.CLOSE
    assert b"\r\nconnection: close\r\n" in wire(steps)


def test_pauses() -> None:
    steps = plan(Control(chunks=3, delay_ms=5, first_delay_ms=7, first_event_delay_ms=9))
    assert [step.delay_ms for step in steps if isinstance(step, Wait)] == [7, 9, 5, 5, 5]
    assert steps[0] == Wait(7)


def test_lengths_lie() -> None:
    for stream in (True, False):
        honest = body(plan(stream=stream))
        short, long = (
            plan(Control(fault=Fault.SHORT_LENGTH), stream=stream),
            plan(Control(fault=Fault.LONG_LENGTH), stream=stream),
        )
        assert b"content-length: %d\r\n" % (len(honest) + 100) in wire(short)
        assert body(short) == honest
        assert b"content-length: %d\r\n" % len(honest) in wire(long)
        assert body(long) == honest + FAKE_ANSWER
        both = plan(Control(fault=Fault.BOTH_LENGTHS), stream=stream)
        assert b"content-length: %d\r\ntransfer-encoding: chunked\r\n" % len(honest) in wire(both)
        assert body(both) == honest


def test_chunked_framing_breaks() -> None:
    for stream in (True, False):
        assert b"\r\nnot-a-size\r\n" in wire(plan(Control(fault=Fault.BAD_CHUNKING), stream=stream))


def test_a_long_line_has_the_length_that_was_asked_for() -> None:
    lines = body(plan(Control(fault=Fault.LONG_LINE, bytes=70_000))).split(b"\n")
    assert max(map(len, lines)) == 70_000
    assert len(body(plan(Control(fault=Fault.LONG_LINE, bytes=70_000), stream=False))) == 70_000


def test_garbage_among_good_events() -> None:
    spoiled, good = body(plan(Control(fault=Fault.GARBAGE))), body(plan())
    assert spoiled.endswith(b"data: [DONE]\n\n")
    assert all(event in spoiled for event in good.split(b"\n\n"))
    with pytest.raises(UnicodeDecodeError):
        spoiled.decode()
    with pytest.raises(UnicodeDecodeError):
        body(plan(Control(fault=Fault.GARBAGE), stream=False)).decode()


@pytest.mark.parametrize("fault", [Fault.BAD_JSON, Fault.GARBAGE])
def test_broken_json(fault: Fault) -> None:
    with pytest.raises(ValueError):
        json.loads(body(plan(Control(fault=fault), stream=False)))
    assert b",,}" in body(plan(Control(fault=Fault.BAD_JSON)))


def test_an_error_in_the_middle() -> None:
    texts = body(plan(Control(fault=Fault.ERROR_EVENT, at=2))).split(b"\n\n")
    assert [b'"error":{' in text for text in texts] == [False, False, False, True, False, False]
    assert json.loads(body(plan(Control(fault=Fault.ERROR_EVENT), stream=False)))["error"]["code"] == 502


def test_more_after_done() -> None:
    sent = wire(plan(Control(fault=Fault.AFTER_DONE)))
    assert sent.endswith(b"0\r\n\r\n" + FAKE_ANSWER)
    assert sent.index(b"[DONE]") < sent.index(b'"completion_tokens":999999') < sent.index(FAKE_ANSWER)


def test_odd_heads() -> None:
    assert len(wire(plan(Control(fault=Fault.BIG_HEADERS))).partition(b"\r\n\r\n")[0]) > 1_000_000
    assert wire(plan(Control(fault=Fault.MANY_1XX))).count(b"HTTP/1.1 10") == 1000
    assert b"location: http://x/\r\n" in wire(plan(Control(fault=Fault.REDIRECT, location="http://x/")))
    assert b"\r\nretry-after: 3\r\n" in wire(plan(Control(headers=(("Retry-After", "3"),))))
    assert b"content-type: text/plain\r\n" in wire(plan(Control(headers=(("Content-Type", "text/plain"),))))


def test_a_drip_is_one_byte_at_a_time() -> None:
    steps = plan(Control(fault=Fault.DRIP, at=2, chunks=3, drip_ms=1))
    assert body(steps) == body(plan(Control(chunks=3)))
    first = next(index for index, step in enumerate(steps) if isinstance(step, Wait))
    assert all(len(step.data) == 1 for step in steps[first:] if isinstance(step, Send) and step.data)


@given(
    line_end=st.sampled_from(LineEnd),
    bom=st.booleans(),
    comments=st.booleans(),
    gzipped=st.booleans(),
    split=st.none() | st.integers(1, 300),
    usage=st.none() | st.sampled_from([UsageMode.EVERY, UsageMode.NULLS, UsageMode.TWICE]),
)
def test_spelling_never_changes_what_is_said(
    line_end: LineEnd, bom: bool, comments: bool, gzipped: bool, split: int | None, usage: UsageMode | None
) -> None:
    encoding = "gzip" if gzipped else None
    control = Control(
        line_end=line_end, bom=bom, comments=comments, content_encoding=encoding, split=split, usage=usage, chunks=3
    )
    spelled = body(plan(control))
    text = (gzip.decompress(spelled) if gzipped else spelled).decode("utf-8-sig" if bom else "utf-8")
    lines = re.split("\r\n|\r|\n", text)
    assert ("\r\n" in text, "\n" in text) == (line_end is LineEnd.CRLF, line_end is not LineEnd.CR)
    plain = body(plan(Control(chunks=3, usage=usage))).decode()
    assert "\n".join(line for line in lines if line and not line.startswith(":")) == re.sub("\n+", "\n", plain).strip()
    assert text.count(": OPENROUTER PROCESSING") == (text.count("data: ") if comments else 0)


def test_refusals() -> None:
    refusal = refusal_asked_for(Control(status=429))
    assert refusal is not None
    steps = list(plan_refusal(refusal, Control(status=429, headers=(("retry-after", "1"),)), keep_alive=True))
    assert wire(steps).startswith(b"HTTP/1.1 429 Too Many Requests\r\n")
    assert json.loads(body(steps))["error"]["code"] == 429
    assert Ended("refused") in steps
    assert body(list(plan_refusal(Refusal(500, ""), Control(error_body="oops"), keep_alive=True))) == b"oops"
    assert refusal_asked_for(Control(status=200)) is None
    assert refusal_asked_for(Control(error_body="x")) is not None
    cut = list(plan_refusal(refusal, Control(fault=Fault.CUT), keep_alive=True))
    assert cut[-1] is Leave.CLOSE


def test_a_replay_is_verbatim() -> None:
    assert wire(list(plan_replay(b"anything", Control(split=3, first_delay_ms=1)))) == b"anything"
