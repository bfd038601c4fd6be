"""The relay between a fake upstream and a fake client, one callback at a time."""

import asyncio
import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.json import encode
from msgspec.structs import replace

from tollway.deadlines import NEVER, Deadlines
from tollway.gateway.drains import Drains
from tollway.gateway.relay import PROGRESS_BYTES, Relay
from tollway.gateway.reply import Reply
from tollway.gateway.upstream_port import Failure, FailureKind
from tollway.settings import Limits, Timeouts
from tollway.steps import Later
from tollway.wire.answer_head import AnswerHead
from tollway.wire.frames import KEEP_ALIVE_COMMENT
from tollway.wire.usage import Usage
from unit.gateway.fakes import Clock, FakeClient, FakeConnection, candidate

EVENT = b'data: {"id":"a","model":"m","choices":[{"index":0,"delta":{"content":"hi"},"finish_reason":null}]}\n\n'
FINISH = b'data: {"id":"a","model":"m","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\n'
USAGE = b'data: {"id":"a","model":"m","choices":[],"usage":{"prompt_tokens":3,"completion_tokens":2}}\n\n'
RUNNING = EVENT.replace(b"}\n\n", b',"usage":{"prompt_tokens":3,"completion_tokens":1}}\n\n')
DONE = b"data: [DONE]\n\n"
ERROR = b'data: {"id":"a","error":{"message":"key sk-0123456789ab failed","code":"c"},"choices":[]}\n\n'
BODY = encode(
    {
        "id": "a",
        "model": "m",
        "choices": [{"message": {"content": "hi"}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 3, "completion_tokens": 2},
    }
)
BROKEN = Failure(FailureKind.BROKEN, "reset", True)
LIMITS = Limits(upstream_line_bytes=1_000, upstream_stream_bytes=10_000, upstream_body_bytes=1_000)
TIMEOUTS = Timeouts()


class Stage:
    """A relay with everything around it."""

    def __init__(
        self, stops_billing: bool = False, drains: int = 1, attach: bool = True, limits: Limits = LIMITS
    ) -> None:
        self.clock = Clock()
        self.deadlines = Deadlines(self.clock)
        self.client = FakeClient()
        self.connection = FakeConnection(self.clock.now + 60)
        self.drains = Drains(drains, lambda _: None)
        who = candidate(stops_billing_on_abort=stops_billing)
        end: Later[Reply] = Later()
        self.noted: list[bool] = []  # whether it was much, each time
        self.relay = Relay(
            self.client,
            who,
            self.deadlines,
            limits,
            TIMEOUTS,
            self.drains,
            b"x-request-id: r\r\n",
            end,
            lambda _, is_much: self.noted.append(is_much),
        )
        if attach:
            self.relay.attach(self.connection)

    def stream(self, *pieces: bytes) -> None:
        self.relay.head_arrived(AnswerHead(200, b"text/event-stream", b"today"))
        for piece in pieces:
            self.relay.body_arrived(piece)

    def chunk(self, body: bytes) -> bool:
        """As a connection offers it; whether it was taken as it came."""
        head = b"%x\r\n" % len(body)
        if self.relay.takes_chunk(head + body + b"\r\n", len(head)):
            return True
        self.relay.body_arrived(body)
        return False

    def whole(self, *pieces: bytes, status: int = 200) -> None:
        self.relay.head_arrived(AnswerHead(status))
        for piece in pieces:
            self.relay.body_arrived(piece)

    def leave(self) -> None:
        self.client.gone = True
        if self.client.listener:
            self.client.listener.client_gone()

    def wait(self, seconds: float) -> None:
        self.clock.now += seconds
        self.deadlines.sweep()

    @property
    def reply(self) -> Reply:
        return self.relay.finished.result()

    @property
    def is_over(self) -> bool:
        over = self.relay.finished.done()
        if over:
            assert self.drains.current == 0
            assert self.client.listener is None
            assert len(self.deadlines) == 0
        return over


def play(scenario: Callable[[], None]) -> None:
    async def inside() -> None:
        scenario()

    asyncio.run(inside())


def test_a_stream_passes_and_its_last_event_is_kept_back() -> None:
    def scenario() -> None:
        stage = Stage()
        stage.stream(EVENT[:20], EVENT[20:] + FINISH[:1])
        assert stage.client.body == EVENT
        assert stage.client.headers == (
            b"content-type: text/event-stream\r\ncontent-encoding: identity\r\ndate: today\r\nx-request-id: r\r\n"
        )
        stage.relay.body_arrived(FINISH[1:] + USAGE + DONE)
        assert stage.client.body == EVENT + FINISH + USAGE
        assert stage.is_over
        assert (stage.reply.ending, stage.reply.streamed, stage.reply.failure) == (DONE, True, None)
        assert (stage.reply.facts.usage, stage.reply.facts.finish_reason) == (Usage(3, 2), "stop")
        assert stage.connection.deadline <= stage.clock.now + 1  # its framing may end, but not for long
        stage.relay.body_arrived(EVENT)
        stage.relay.ended()
        assert stage.client.body == EVENT + FINISH + USAGE

    play(scenario)


def test_when_the_upstreams_status_came() -> None:
    """However the answer came, and not when its end did."""

    def scenario() -> None:
        for begin in (
            lambda stage: stage.relay.whole_arrived(AnswerHead(200), BODY),
            lambda stage: stage.whole(BODY[:9], status=200),
            lambda stage: stage.whole(BODY[:9], status=500),
            lambda stage: stage.stream(EVENT),
        ):
            stage = Stage()
            begin(stage)
            headed_at = stage.clock.now
            stage.clock.now += 5
            if not stage.relay.finished.done():
                stage.relay.failed(Failure(FailureKind.BROKEN, "cut", True))
            assert stage.reply.head_at == headed_at
        stage = Stage()
        stage.relay.failed(Failure(FailureKind.TIMEOUT, "late", True))
        assert stage.reply.head_at == 0

    play(scenario)


def test_a_whole_answer_is_collected() -> None:
    def scenario() -> None:
        stage = Stage()
        stage.whole(BODY[:9], BODY[9:])
        assert not stage.client.started
        stage.relay.ended()
        assert stage.is_over
        assert (stage.reply.body, stage.reply.status, stage.reply.streamed) == (BODY, 200, False)
        assert stage.reply.facts.usage == Usage(3, 2)

    play(scenario)


ERROR_BODY = encode({"error": {"message": "key sk-0123456789ab failed"}})


@pytest.mark.parametrize("status", [200, 429])
@pytest.mark.parametrize("body", [b"", BODY, BODY[:-1], ERROR_BODY, b" " * 1_001, b"x" * 70_000])
def test_in_one_piece_or_in_many_it_is_the_same_answer(status: int, body: bytes) -> None:
    def scenario() -> None:
        one, many = Stage(), Stage()
        one.relay.whole_arrived(AnswerHead(status, date=b"today"), body)
        many.relay.head_arrived(AnswerHead(status, date=b"today"))
        for begin in range(0, len(body), 400):
            many.relay.body_arrived(body[begin : begin + 400])
        many.relay.ended()
        assert one.is_over
        cut = status == 429 and len(body) > 65_536  # the start of an error text is enough, wherever it is cut
        bare = {"body": b"", "candidate": one.reply.candidate}
        if one.reply.failure and one.reply.failure.kind is FailureKind.TOO_LARGE:
            bare["facts"] = one.reply.facts  # of what had come until then
        assert replace(one.reply, **bare) == replace(many.reply, **bare)
        assert cut or one.reply.body == many.reply.body
        assert one.connection.is_abandoned == many.connection.is_abandoned

    play(scenario)


@pytest.mark.parametrize("body", [b"", b"<html>", BODY[:-1], b"[]"])
def test_a_whole_answer_that_is_no_json_object_is_broken(body: bytes) -> None:
    def scenario() -> None:
        stage = Stage()
        stage.whole(body)
        stage.relay.ended()
        assert stage.reply.failure
        assert stage.reply.failure.kind is FailureKind.BROKEN

    play(scenario)


def test_a_broken_whole_answer_still_says_what_is_billed() -> None:
    def scenario() -> None:
        stage = Stage()
        stage.whole(BODY)
        stage.relay.failed(BROKEN)
        assert (stage.reply.facts.usage, stage.reply.facts.has_output, stage.reply.body) == (Usage(3, 2), False, b"")

    play(scenario)


def test_an_error_answer_keeps_the_start_of_its_text() -> None:
    def scenario() -> None:
        stage = Stage()
        stage.whole(b'{"error":{"message":"m"}}', status=500)
        stage.relay.ended()
        assert (stage.reply.status, stage.reply.failure) == (500, None)
        endless = Stage()
        endless.whole(b"x" * 65_000, b"x" * 65_000, b"x", status=500)
        assert endless.is_over
        assert (endless.reply.status, len(endless.reply.body)) == (500, 65_000)
        assert endless.connection.is_abandoned

    play(scenario)


@pytest.mark.parametrize(
    ("pieces", "passed"),
    [
        ((EVENT,), EVENT),
        ((EVENT, EVENT[:-2]), EVENT),  # half an event must not swallow the error event that follows
        ((), b""),
        ((USAGE,), USAGE),  # of what there is nothing
        ((EVENT, RUNNING), EVENT + RUNNING),  # a running usage is no ending
        ((EVENT, USAGE, EVENT), EVENT + USAGE + EVENT),
        ((b": comment\n\n",), b": comment\n\n"),
    ],
)
def test_a_stream_that_ends_without_an_ending_is_broken(pieces: tuple[bytes, ...], passed: bytes) -> None:
    def scenario() -> None:
        stage = Stage()
        stage.stream(*pieces)
        stage.relay.ended()
        assert stage.is_over
        assert stage.reply.failure
        assert (stage.client.body, stage.reply.ending) == (passed, b"")
        assert stage.reply.has_error is bool(pieces)  # where nothing came at all, nothing was reported or broken off

    play(scenario)


@pytest.mark.parametrize(("last", "ending"), [(b"", b""), (b"data: [DONE]", b"data: [DONE]"), (USAGE[:-2], b"")])
def test_a_finish_reason_is_an_ending(last: bytes, ending: bytes) -> None:
    def scenario() -> None:
        stage = Stage()
        stage.stream(EVENT, FINISH, last)
        stage.relay.ended()
        assert (stage.reply.failure, stage.reply.ending) == (None, ending)
        assert stage.client.body == EVENT + FINISH + (b"" if ending else last)

    play(scenario)


@pytest.mark.parametrize("last", [USAGE, USAGE[:-2]])
def test_the_usage_behind_all_output_is_an_ending(last: bytes) -> None:
    """The last thing that upstreams tell; they may leave out everything else that ends a stream (V40)."""

    def scenario() -> None:
        stage = Stage()
        stage.stream(EVENT, b"data: {oops\n\n", last)
        stage.relay.ended()
        assert (stage.reply.failure, stage.reply.has_error, stage.reply.facts.usage) == (None, False, Usage(3, 2))
        assert stage.client.body == EVENT + b"data: {oops\n\n" + last

    play(scenario)


def test_an_upstreams_own_error_event_is_the_only_one() -> None:
    def scenario() -> None:
        for ends in (lambda stage: stage.relay.body_arrived(DONE), lambda stage: stage.relay.failed(BROKEN)):
            stage = Stage()
            stage.stream(EVENT, ERROR)
            ends(stage)
            assert (stage.reply.told_error, stage.reply.ending) == (True, b"")
            shown = json.loads(stage.client.body.removeprefix(EVENT)[6:])
            assert shown["error"] == {"message": "key sk-*** failed", "code": "c"}

    play(scenario)


def test_an_error_key_that_is_null_is_no_error() -> None:
    def scenario() -> None:
        stage = Stage()
        event = EVENT.replace(b'"id"', b'"error":null,"id"')
        stage.stream(event, FINISH, DONE)
        assert (stage.reply.told_error, stage.reply.ending) == (False, DONE)
        assert stage.client.body == event + FINISH

    play(scenario)


@pytest.mark.parametrize(
    ("pieces", "detail"),
    [((b"data: " + b"x" * 2_000,), "an event is too long"), ((EVENT,) * 200, "the stream is too long")],
)
def test_bounds_of_a_stream(pieces: tuple[bytes, ...], detail: str) -> None:
    def scenario() -> None:
        stage = Stage()
        stage.stream(*pieces)
        assert stage.is_over
        assert stage.connection.is_abandoned
        assert stage.reply.failure
        assert (stage.reply.failure.kind, stage.reply.failure.detail) == (FailureKind.TOO_LARGE, detail)
        assert stage.client.body == EVENT * (len(stage.client.body) // len(EVENT))

    play(scenario)


def test_bounds_of_a_whole_answer() -> None:
    def scenario() -> None:
        stage = Stage()
        stage.whole(b" " * 600, b" " * 600)
        assert stage.connection.is_abandoned
        assert stage.reply.failure
        assert stage.reply.failure.kind is FailureKind.TOO_LARGE

    play(scenario)


# waiting


def test_what_is_waited_for() -> None:
    def scenario() -> None:
        stage = Stage()
        begun = stage.clock.now
        stage.clock.now += 10
        stage.stream()
        assert stage.connection.deadline == begun + 10 + TIMEOUTS.first_event_s
        stage.clock.now += 100
        stage.relay.body_arrived(EVENT[:30])
        assert stage.connection.deadline == begun + 10 + TIMEOUTS.first_event_s  # half an event is none
        stage.relay.body_arrived(EVENT[30:])
        assert stage.connection.deadline == stage.clock.now + TIMEOUTS.silence_s
        stage.clock.now = begun + TIMEOUTS.stream_s - 5
        stage.relay.body_arrived(EVENT)
        assert stage.connection.deadline == begun + TIMEOUTS.stream_s  # the whole stream has an end

    play(scenario)


def test_a_whole_answers_time_counts_from_its_request() -> None:
    def scenario() -> None:
        stage = Stage()
        begun = stage.clock.now
        stage.clock.now += TIMEOUTS.answer_s - 1
        stage.whole(b"{")
        assert stage.connection.deadline == begun + TIMEOUTS.answer_s

    play(scenario)


def test_a_slow_client_stops_the_clock_of_silence_and_the_reading() -> None:
    def scenario() -> None:
        stage = Stage()
        begun = stage.clock.now
        stage.stream(EVENT)
        assert stage.client.listener
        stage.client.listener.client_paused()
        assert stage.connection.is_paused
        assert stage.connection.deadline == begun + TIMEOUTS.stream_s
        stage.relay.body_arrived(EVENT)  # was on its way
        assert stage.connection.deadline == begun + TIMEOUTS.stream_s
        stage.clock.now += 500
        stage.wait(0)
        assert KEEP_ALIVE_COMMENT not in stage.client.body
        stage.client.listener.client_resumed()
        assert not stage.connection.is_paused
        assert stage.connection.deadline == stage.clock.now + TIMEOUTS.silence_s

    play(scenario)


def test_pausing_before_the_first_event_gives_no_more_time_for_it() -> None:
    def scenario() -> None:
        stage = Stage()
        stage.stream()
        first_event_by = stage.connection.deadline
        assert stage.client.listener
        stage.client.listener.client_paused()
        stage.client.listener.client_resumed()
        assert stage.connection.deadline == first_event_by

    play(scenario)


def test_pausing_before_the_head_changes_no_deadline() -> None:
    def scenario() -> None:
        stage = Stage()
        headers_by = stage.connection.deadline
        stage.relay.client_paused()
        assert stage.connection.deadline == headers_by
        stage.relay.client_resumed()
        assert stage.connection.deadline == headers_by

    play(scenario)


def test_comments_come_while_nothing_else_does() -> None:
    def scenario() -> None:
        stage = Stage()
        stage.stream(EVENT)
        stage.wait(TIMEOUTS.comment_s - 1)
        stage.relay.body_arrived(EVENT)
        stage.wait(2)
        assert stage.client.body == EVENT * 2
        stage.wait(TIMEOUTS.comment_s)
        stage.wait(TIMEOUTS.comment_s)
        assert stage.client.body == EVENT * 2 + KEEP_ALIVE_COMMENT * 2
        stage.relay.body_arrived(EVENT[:9])
        stage.wait(TIMEOUTS.comment_s * 2)
        assert stage.client.body == EVENT * 2 + KEEP_ALIVE_COMMENT * 2  # not inside an event
        stage.relay.body_arrived(EVENT[9:])
        assert stage.client.body.endswith(KEEP_ALIVE_COMMENT + EVENT)
        stage.relay.failed(BROKEN)
        stage.wait(TIMEOUTS.comment_s * 9)
        assert stage.client.body.endswith(EVENT)

    play(scenario)


# the client


def test_one_who_leaves_is_read_on_for() -> None:
    def scenario() -> None:
        stage = Stage()
        stage.stream(EVENT)
        stage.leave()
        assert stage.drains.current == 1
        assert stage.connection.deadline == stage.clock.now + TIMEOUTS.drain_s
        stage.relay.body_arrived(FINISH + USAGE + DONE)
        assert stage.client.body == EVENT
        assert stage.is_over
        assert (stage.reply.facts.usage, stage.reply.is_complete) == (Usage(3, 2), True)

    play(scenario)


def test_reading_on_is_bounded_however_lively_it_is() -> None:
    def scenario() -> None:
        stage = Stage()
        stage.stream(EVENT)
        stage.leave()
        until = stage.connection.deadline
        stage.clock.now += TIMEOUTS.drain_s - 1
        stage.relay.body_arrived(EVENT)
        assert stage.connection.deadline == until

    play(scenario)


def test_one_who_leaves_while_paused_lets_the_upstream_go_on() -> None:
    def scenario() -> None:
        stage = Stage()
        stage.stream(EVENT)
        assert stage.client.listener
        stage.client.listener.client_paused()
        stage.leave()
        assert not stage.connection.is_paused

    play(scenario)


def test_leaving_before_the_head_bounds_the_wait_for_it() -> None:
    def scenario() -> None:
        stage = Stage()
        stage.connection.deadline = NEVER
        stage.leave()
        assert stage.connection.deadline == stage.clock.now + TIMEOUTS.drain_s
        stage.whole(BODY)
        assert stage.connection.deadline == stage.clock.now + TIMEOUTS.drain_s
        stage.relay.ended()
        assert stage.is_over
        assert stage.reply.body == BODY

    play(scenario)


@pytest.mark.parametrize(("stops_billing", "drains"), [(True, 1), (False, 0)])
def test_one_who_leaves_where_reading_on_is_no_use(stops_billing: bool, drains: int) -> None:
    def scenario() -> None:
        stage = Stage(stops_billing, drains)
        stage.stream(EVENT)
        stage.leave()
        assert stage.is_over
        assert stage.connection.is_abandoned
        assert (stage.reply.abandoned, stage.reply.facts.output_units) == (True, 1)

    play(scenario)


def test_one_who_left_while_we_connected() -> None:
    def scenario() -> None:
        stage = Stage(stops_billing=True, attach=False)
        assert stage.relay.wanted
        stage.client.gone = True
        assert not stage.relay.wanted
        stage.relay.attach(stage.connection)
        assert stage.is_over
        assert stage.connection.is_abandoned

    play(scenario)


def test_failing_while_it_is_sent() -> None:
    def scenario() -> None:
        stage = Stage(attach=False)
        stage.relay.failed(BROKEN)
        stage.relay.attach(stage.connection)
        assert stage.is_over
        assert stage.reply.status == 0

    play(scenario)


def test_shutting_down_is_a_failure_of_its_own() -> None:
    def scenario() -> None:
        stage = Stage()
        stage.stream(EVENT)
        stage.relay.shut_down()
        stage.relay.shut_down()
        assert stage.reply.failure
        assert stage.reply.failure.kind is FailureKind.SHUTDOWN
        assert stage.connection.is_abandoned

    play(scenario)


# the journal


def of_bytes(size: int) -> bytes:
    """One event, so long."""
    return b'data: {"id":"a","model":"m","choices":[{"delta":{"content":"%b"}}]}\n\n' % (b"x" * (size - 67))


def test_how_far_a_stream_has_come_is_told_once() -> None:
    def scenario() -> None:
        stage = Stage()
        assert stage.relay.news() is None
        stage.stream()
        assert stage.relay.news() is None  # its head alone costs nothing
        stage.relay.body_arrived(EVENT + EVENT[:9])
        news = stage.relay.news()
        assert news
        status, answer = news
        assert (status, answer.message_id, answer.has_output, answer.output_units) == (200, "a", True, 1)
        assert stage.relay.news() is None
        stage.relay.body_arrived(EVENT[9:] + USAGE)
        news = stage.relay.news()
        assert news
        assert (news[1].output_units, news[1].usage) == (2, Usage(3, 2))

    play(scenario)


def test_of_a_whole_answer_nothing_is_told() -> None:
    def scenario() -> None:
        stage = Stage()
        stage.whole(BODY)
        assert stage.relay.news() is None
        assert stage.noted == []

    play(scenario)


@pytest.mark.parametrize("has_left", [False, True], ids=["read by the client", "read on"])
def test_eight_kibibytes_are_told_at_once(has_left: bool) -> None:
    def scenario() -> None:
        stage = Stage(limits=Limits())
        stage.stream(EVENT)
        if has_left:
            stage.leave()
        stage.relay.body_arrived(EVENT)
        assert stage.noted == [False]  # once, until somebody has asked
        assert stage.relay.news()
        stage.relay.body_arrived(of_bytes(PROGRESS_BYTES - 1))
        assert stage.noted == [False] * 2
        stage.relay.body_arrived(EVENT)
        stage.relay.body_arrived(EVENT)
        assert stage.noted == [False, False, True]
        assert stage.relay.news()
        stage.relay.body_arrived(of_bytes(PROGRESS_BYTES))
        assert stage.noted == [False, False, True, True]

    play(scenario)


# chunks that go on as they came


def test_an_ordinary_chunk_goes_on_as_it_came() -> None:
    """Once the form of the events is known; everything else takes the long way, and nothing is lost between them."""

    def scenario() -> None:
        stage = Stage()
        stage.stream()
        told = [stage.chunk(EVENT.replace(b"hi", b"%d" % number)) for number in range(20)]
        assert told[-1]
        assert stage.client.passed == told.count(True)
        stage.wait(1)
        assert stage.chunk(EVENT)
        assert stage.connection.deadline == stage.clock.now + TIMEOUTS.silence_s
        for other in (EVENT[:20], EVENT[20:], EVENT + EVENT, RUNNING, b": hi\n\n"):
            assert not stage.chunk(other)
        assert stage.chunk(EVENT)
        assert not stage.chunk(FINISH + USAGE + DONE)
        texts = b"".join(EVENT.replace(b"hi", b"%d" % number) for number in range(20))
        assert (
            stage.client.body == texts + EVENT + EVENT + EVENT + EVENT + RUNNING + b": hi\n\n" + EVENT + FINISH + USAGE
        )
        assert (stage.reply.facts.usage, stage.reply.failure) == (Usage(3, 2), None)
        assert not stage.chunk(EVENT)

    play(scenario)


def test_no_chunk_goes_on_as_it_came_when_it_may_not() -> None:
    def warm(stage: Stage) -> Stage:
        stage.stream(*[EVENT] * 20)
        return stage

    def scenario() -> None:
        unframed = Stage()
        unframed.client.takes_chunks = False
        assert not warm(unframed).chunk(EVENT)

        failed = warm(Stage())
        failed.chunk(ERROR)
        assert not failed.chunk(EVENT)  # another error may be in it

        left = warm(Stage())
        left.leave()
        written = left.client.body
        assert not left.chunk(EVENT)
        assert left.client.body == written

        for stage in (unframed, failed, left):
            stage.relay.shut_down()
            assert stage.is_over

    play(scenario)


def test_passed_chunks_count_towards_progress_and_the_bound() -> None:
    def scenario() -> None:
        stage = Stage()
        stage.stream(*[EVENT] * 10)
        while True not in stage.noted:
            assert stage.chunk(EVENT)
        assert len(EVENT) * (stage.client.passed + 10) - PROGRESS_BYTES < len(EVENT)
        noted = stage.client.passed
        assert stage.chunk(EVENT)
        assert stage.noted == [False, True]
        assert stage.relay.news()
        while not stage.relay.finished.done():
            stage.chunk(EVENT)
        assert (stage.client.passed + 10) * len(EVENT) - LIMITS.upstream_stream_bytes in range(len(EVENT) + 1)
        assert stage.client.passed > noted
        assert stage.reply.failure
        assert stage.reply.failure.kind is FailureKind.TOO_LARGE
        assert stage.connection.is_abandoned

    play(scenario)


# any order of everything

PIECES = b": hi\n\n" + EVENT + EVENT + ERROR + FINISH + USAGE + DONE + b"data: after\n\n"
steps = st.one_of(
    st.tuples(st.just("body"), st.integers(1, 200)),
    st.tuples(st.sampled_from(["pause", "resume", "leave", "ended", "failed", "shut_down"]), st.just(0)),
    st.tuples(st.just("wait"), st.integers(1, 40)),
)


@given(
    st.booleans(),
    st.booleans(),
    st.integers(0, 1),
    st.integers(0, len(PIECES)),
    st.lists(steps, max_size=30),
    st.integers(0, 4),
)
def test_any_order_of_events_ends_exactly_once(
    is_stream: bool, stops_billing: bool, drains: int, start: int, order: list[tuple[str, int]], head_at: int
) -> None:
    """Whatever happens when: one reply, no place kept, nothing written after the end or to one who left."""

    def scenario() -> None:
        stage = Stage(stops_billing, drains)
        body, replies, at = PIECES[start:] if is_stream else BODY, list[Reply](), 0
        stage.relay.finished.add_done_callback(lambda future: replies.append(future.result()))
        for number, (what, size) in enumerate(order):
            if number == head_at and not stage.connection.is_abandoned and not stage.relay.finished.done():
                (stage.stream if is_stream else stage.whole)()
            has_head = number >= head_at
            if what == "body" and has_head and not stage.connection.is_abandoned:
                stage.relay.body_arrived(body[at : at + size])
                at += size
            elif what == "ended" and not stage.connection.is_abandoned:
                stage.relay.ended()
                break
            elif what == "failed" and not stage.connection.is_abandoned:
                stage.relay.failed(BROKEN)
                break
            elif what == "leave" and not stage.client.gone:
                written = stage.client.body
                stage.leave()
                assert stage.client.body == written
            elif what == "wait":
                stage.wait(size)
            elif what == "shut_down":
                stage.relay.shut_down()
            elif what in ("pause", "resume") and stage.client.listener:
                getattr(stage.client.listener, f"client_{what}d")()
            if stage.relay.finished.done():
                assert stage.is_over
        stage.relay.shut_down()
        assert stage.is_over
        written = stage.client.body
        stage.relay.body_arrived(EVENT)
        stage.relay.failed(BROKEN)
        stage.relay.ended()
        stage.wait(10_000)
        assert stage.client.body == written
        reply: Any = stage.reply
        assert not (reply.failure and reply.abandoned)
        if stage.client.body and reply.ending:
            assert b"[DONE]" not in stage.client.body
        if b"[DONE]" in stage.client.body:
            assert start > len(PIECES) - len(DONE + b"data: after\n\n")  # the mark was cut: it is text

    play(scenario)
