import asyncio
import json
from collections.abc import Sequence
from typing import Any

import pytest

from tollway.errors import Code, Problem
from tollway.gateway.exchange import Exchange
from tollway.gateway.reply import Reply
from tollway.gateway.services import Failure, FailureKind, ReplySink
from tollway.gateway.stages import send_upstream
from tollway.routing.plan import Candidate, Plan
from tollway.settings import parse
from tollway.wire.answer_head import AnswerHead
from tollway.wire.chat import parse_chat
from unit.gateway.fakes import FakeUpstreams, Play, answers, body_of, candidate, exchange, fails, services

BODY = {"id": "a", "model": "m", "choices": [{"message": {"content": "hi"}, "finish_reason": "stop"}]}
GOOD = answers(200, BODY)
AT_ONCE = parse({"retries": {"backoff_s": 0}})


def failure(kind: FailureKind, sent: bool = False) -> Play:
    return fails(Failure(kind, "why", sent))


def breaks(kind: FailureKind) -> Play:
    """The answer begins as a stream and breaks."""

    def play(sink: ReplySink) -> None:
        sink.head_arrived(AnswerHead(200, b"text/event-stream"))
        sink.body_arrived(b'data: {"choices":[{"delta":{"content":"x"}}]}\n\n')
        sink.failed(Failure(kind, "why", True))

    return play


def send(
    *scripts: Play, to: Sequence[Candidate] = (candidate(),), body: bytes | None = None, **changes: Any
) -> tuple[Reply | Problem, FakeUpstreams, Exchange]:
    one = exchange(body)
    one.request = parse_chat(one.inbound.body)
    one.prepared, one.plan = one.request.body, Plan(tuple(to), 100, 100)
    upstreams = FakeUpstreams(*scripts)
    everything = services(client=upstreams, settings=changes.pop("settings", AT_ONCE), **changes)
    return asyncio.run(send_upstream.run(one, everything)), upstreams, one


REFUSED = failure(FailureKind.CONNECT)
UNANSWERED = failure(FailureKind.NO_ANSWER, True)
STALE = failure(FailureKind.STALE, True)


@pytest.mark.parametrize(
    ("scripts", "attempts"),
    [
        ([GOOD], 1),
        ([REFUSED, REFUSED, REFUSED], 3),
        ([failure(FailureKind.RESOLVE)] * 3, 3),
        ([failure(FailureKind.SEND)] * 3, 3),
        ([failure(FailureKind.TIMEOUT, sent=False)] * 3, 3),
        ([failure(FailureKind.TIMEOUT, sent=True)], 1),
        ([failure(FailureKind.BROKEN, True)], 1),
        ([failure(FailureKind.TOO_LARGE, True)], 1),
        ([failure(FailureKind.SHUTDOWN, True)], 1),
        ([failure(FailureKind.UNWANTED)], 1),
        ([failure(FailureKind.SATURATED)], 1),
        ([UNANSWERED, UNANSWERED], 2),  # each may have been billed
        ([STALE, STALE], 2),
        ([STALE, UNANSWERED], 2),
        ([UNANSWERED, REFUSED, REFUSED], 3),
        ([REFUSED, UNANSWERED, GOOD], 3),
        ([REFUSED, REFUSED, UNANSWERED], 3),
        ([answers(500, {}), UNANSWERED, GOOD], 3),
        ([answers(400, {})], 1),
        ([answers(429, {}), GOOD], 2),
        ([answers(429, {}, retry_after="11")], 1),
        ([breaks(FailureKind.BROKEN)], 1),
        ([breaks(FailureKind.NO_ANSWER)], 1),  # whatever it says: the client has seen something
    ],
)
def test_how_often_it_is_tried(scripts: list[Play], attempts: int) -> None:
    reply, upstreams, one = send(*scripts)
    assert isinstance(reply, Reply)
    assert len(upstreams.sent) == len(one.attempts) == attempts
    assert upstreams.scripts == []
    if scripts[-1] is GOOD:
        assert (reply.status, reply.failure) == (200, None)


def test_after_a_dead_connection_a_new_one_is_taken() -> None:
    assert [fresh for *_, fresh in send(STALE, GOOD)[1].sent] == [False, True]
    assert [fresh for *_, fresh in send(answers(503, {}), GOOD)[1].sent] == [False, False]


def test_candidates_take_turns() -> None:
    both = (candidate("first"), candidate("second"))
    for script in (REFUSED, answers(503, {}), failure(FailureKind.SATURATED), answers(429, {}, retry_after="60")):
        reply, upstreams, one = send(script, GOOD, to=both)
        assert [id_ for id_, *_ in upstreams.sent] == ["first", "second"]
        assert isinstance(reply, Reply)
        assert reply.candidate is both[1]
        assert one.attempts[1] == "second:200"
    assert [id_ for id_, *_ in send(REFUSED, REFUSED, GOOD, to=both)[1].sent] == ["first", "second", "first"]


def test_the_budget_ends_retries() -> None:
    stingy = parse({"retries": {"backoff_s": 0, "budget_min": 1, "budget_share": 0}})
    reply, upstreams, _ = send(REFUSED, REFUSED, settings=stingy)
    assert len(upstreams.sent) == 2
    assert isinstance(reply, Reply)
    assert reply.failure


def test_nothing_is_sent_for_one_who_left() -> None:
    one = exchange()
    one.client.gone = True
    one.plan = Plan((candidate(),), 1, 1)
    upstreams = FakeUpstreams()
    problem = asyncio.run(send_upstream.run(one, services(client=upstreams)))
    assert isinstance(problem, Problem)
    assert (problem.code, upstreams.sent) == (Code.CLIENT_GONE, [])


def test_what_goes_upstream() -> None:
    def shape(body: dict[str, object], stream: bool) -> dict[str, object]:
        return {**body, "shaped": stream}

    both = (candidate("plain"), candidate("shaping", shape=shape))
    _, upstreams, _ = send(REFUSED, GOOD, to=both, body=body_of(model="VENDOR/name"))
    (_, head, plain, _), (_, again, shaped, _) = upstreams.sent
    assert head.startswith(b"POST /v1/chat/completions HTTP/1.1\r\n")
    assert b"X-Request-Id: request-1-1\r\n" in head
    assert b"X-Request-Id: request-1-2\r\n" in again
    assert head.endswith(b"Content-Length: %d\r\n\r\n" % len(plain))
    assert json.loads(plain)["model"] == "VENDOR/name"  # the caller's spelling of the same id
    assert json.loads(shaped)["shaped"] is False


def test_another_id_upstream_replaces_the_callers() -> None:
    _, upstreams, _ = send(GOOD, body=body_of(model="alias"))
    assert json.loads(upstreams.sent[0][2])["model"] == "vendor/name"


def test_failures_are_counted() -> None:
    everything = services(client=FakeUpstreams(REFUSED, answers(503, {}), GOOD), settings=AT_ONCE)
    one = exchange()
    one.request = parse_chat(one.inbound.body)
    one.prepared, one.plan = one.request.body, Plan((candidate(),), 1, 1)
    asyncio.run(send_upstream.run(one, everything))
    rendered = everything.metrics.render().decode()
    for kind in ("connect", "503"):
        assert f'tollway_upstream_failures_total{{kind="{kind}",upstream="sim"}} 1.0' in rendered
    assert one.attempts == ["sim:connect", "sim:503", "sim:200"]
