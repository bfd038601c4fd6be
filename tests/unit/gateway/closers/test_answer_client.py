import json

import pytest

from tollway.errors import Code, Problem
from tollway.gateway.closers import answer_client
from tollway.gateway.reply import NO_FACTS, Reply
from tollway.gateway.upstream_port import Failure, FailureKind
from unit.gateway.closers.test_settle_funds import TOLD, outcome, served
from unit.gateway.fakes import OWN, FakeClient, candidate, exchange, services

DONE = b"data: [DONE]\n\n"


def answer(reply: Reply | None, problem: Problem | None = None, began: bool = False, gone: bool = False) -> FakeClient:
    one = served(reply)
    client = one.client
    assert isinstance(client, FakeClient)
    one.problem, client.gone = problem, gone
    if began:
        client.start_stream(200, b"")
    if reply and reply.is_complete:
        one.outcome = outcome("request-1")
    answer_client.run(one, services())
    return client


def broken(kind: FailureKind, streamed: bool = False, told: bool = False) -> Reply:
    return Reply(
        candidate(), 200, NO_FACTS, streamed=streamed, told_error=told, failure=Failure(kind, "10.0.0.1", True)
    )


def test_a_whole_answer_carries_its_charge() -> None:
    reply = Reply(
        candidate(), 201, TOLD, body=b"{}", content_type=b"application/json; x", date=b"today", request_id=b"up-1"
    )
    client = answer(reply)
    assert (client.status, client.body) == (201, b"{}")
    assert client.headers == (
        b"content-type: application/json; x\r\ncontent-encoding: identity\r\ndate: today\r\nrequest-id: up-1\r\n"
        b"x-request-id: request-1\r\nx-tollway-charge-microdollars: 22\r\nx-tollway-charge-basis: reported\r\n"
    )


def test_a_stream_gets_its_last_event() -> None:
    reply = Reply(candidate(), 200, TOLD, streamed=True, ending=DONE, content_type=b"text/event-stream")
    assert answer(reply, began=True).body == DONE
    late = answer(reply)  # nothing came before it
    assert (late.status, late.body, late.endings) == (200, DONE, 1)
    assert b"content-type: text/event-stream\r\n" in late.headers
    assert b"charge" not in late.headers


@pytest.mark.parametrize(
    ("kind", "code", "status"),
    [
        (FailureKind.SATURATED, Code.OVERLOADED, 503),
        (FailureKind.RESOLVE, Code.UPSTREAM_UNREACHABLE, 502),
        (FailureKind.CONNECT, Code.UPSTREAM_UNREACHABLE, 502),
        (FailureKind.STALE, Code.UPSTREAM_UNREACHABLE, 502),
        (FailureKind.NO_ANSWER, Code.UPSTREAM_UNREACHABLE, 502),
        (FailureKind.SEND, Code.UPSTREAM_UNREACHABLE, 502),
        (FailureKind.BROKEN, Code.UPSTREAM_BROKEN, 502),
        (FailureKind.TOO_LARGE, Code.UPSTREAM_BROKEN, 502),
        (FailureKind.TIMEOUT, Code.UPSTREAM_TIMEOUT, 504),
        (FailureKind.UNWANTED, Code.CLIENT_GONE, 499),
        (FailureKind.SHUTDOWN, Code.DRAINING, 503),
    ],
)
def test_a_failure_is_a_status_before_the_first_byte_and_an_event_after(
    kind: FailureKind, code: Code, status: int
) -> None:
    before = answer(broken(kind))
    assert before.problem
    assert (before.problem.code, before.status) == (code, status)
    assert (before.problem.retry_after_s is not None) == (status == 503)
    after = answer(broken(kind, streamed=True), began=True)
    event = json.loads(after.body[6:])
    assert (event["error"]["code"], event["choices"][0]["finish_reason"]) == (code.value, "error")
    assert b"10.0.0.1" not in after.body
    assert after.endings == 1


def test_an_upstreams_own_error_event_is_enough() -> None:
    client = answer(broken(FailureKind.BROKEN, streamed=True, told=True), began=True)
    assert (client.body, client.endings) == (b"", 1)


def test_a_refusal_is_told_as_its_rules_say() -> None:
    client = answer(Reply(candidate(), 402, NO_FACTS, body=b'{"error":{"message":"pay up"}}'))
    assert client.problem
    assert (client.problem.code, client.status) == (Code.SERVICE_UNAVAILABLE, 503)


@pytest.mark.parametrize(
    ("status", "shown"), [(400, b"<b>no</b>"), (500, b"<b>no</b>"), (429, b""), (403, b""), (302, b"")]
)
def test_what_callers_own_upstreams_say_is_theirs(status: int, shown: bytes) -> None:
    one = served(Reply(candidate(), status, NO_FACTS, body=b"<b>no</b>", content_type=b"text/html"))
    one.own = OWN
    answer_client.run(one, services())
    client = one.client
    assert isinstance(client, FakeClient)
    assert client.body == shown
    assert one.problem
    assert client.status == (502 if status == 302 else status)
    assert (b"content-type: text/html" in client.headers) == bool(shown)


def test_a_problem_wins_over_a_reply() -> None:
    client = answer(Reply(candidate(), 200, TOLD, body=b"{}"), Problem(Code.INTERNAL_ERROR))
    assert client.status == 500
    without = FakeClient()
    answer_client.run(exchange(client=without), services())
    assert without.status == 500


@pytest.mark.parametrize(
    "reply",
    [
        Reply(candidate(), 200, TOLD, body=b"{}"),
        Reply(candidate(), 500, NO_FACTS),
        Reply(candidate(), 200, TOLD, abandoned=True),
        broken(FailureKind.TIMEOUT),
    ],
)
def test_nobody_is_there(reply: Reply) -> None:
    client = answer(reply, gone=True)
    assert (client.started, client.status, client.problem) == (False, 0, None)
