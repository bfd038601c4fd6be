import asyncio
import json
import re
from collections.abc import Sequence
from typing import Any

import pytest
from msgspec.json import encode
from msgspec.structs import replace

from tollway.billing.ledger import Outcome
from tollway.billing.particulars import NO_PARTICULARS
from tollway.billing.recovery import closed_of, encode_entry, recover
from tollway.catalog.classification import Classification
from tollway.catalog.preset import Preset, Split
from tollway.errors import Code, Problem
from tollway.gateway.closers import settle_funds
from tollway.gateway.context import Contexts
from tollway.gateway.exchange import Exchange
from tollway.gateway.open_relays import OpenRelays
from tollway.gateway.reply import Reply
from tollway.gateway.stages import send_upstream
from tollway.gateway.transcripts import Transcripts
from tollway.gateway.upstream_port import Failure, FailureKind, ReplySink
from tollway.identity.caller import Caller
from tollway.observability.logs import RequestLog
from tollway.providers.own_keys import OwnKey
from tollway.providers.rule import Attempt, Draft
from tollway.providers.user_hashes import CUSTOM
from tollway.routing.plan import Candidate, Plan
from tollway.routing.precedence import OwnRoute, Rule
from tollway.routing.split import TrafficSplit
from tollway.settings import RequestLogSettings, parse
from tollway.wire.answer import Answer
from tollway.wire.answer_head import AnswerHead
from tollway.wire.chat import parse_chat
from tollway.wire.dialects.parameters import ModelOptions
from unit.gateway.fakes import (
    CALLER,
    HOLD,
    HOSTED,
    OWN,
    PRESET,
    Clock,
    FakeFunds,
    FakeUpstreams,
    Play,
    answers,
    body_of,
    candidate,
    exchange,
    fails,
    model,
    services,
)
from unit.gateway.worker import turns

BODY = {"id": "a", "model": "m", "choices": [{"message": {"content": "hi"}, "finish_reason": "stop"}]}
EVENT = b'data: {"choices":[{"delta":{"content":"x"}}]}\n\n'
GOOD = answers(200, BODY)
AT_ONCE = parse({"retries": {"backoff_s": 0}})


def failure(kind: FailureKind, sent: bool = False) -> Play:
    return fails(Failure(kind, "why", sent))


def breaks(kind: FailureKind) -> Play:
    """The answer begins as a stream and breaks."""

    def play(sink: ReplySink) -> None:
        sink.head_arrived(AnswerHead(200, b"text/event-stream"))
        sink.body_arrived(EVENT)
        sink.failed(Failure(kind, "why", True))

    return play


def ready(to: Sequence[Candidate] = (candidate(),), body: bytes | None = None) -> Exchange:
    """An exchange whose stages have all run but the last."""
    one = exchange(body)
    one.request = parse_chat(one.inbound.body)
    one.caller, one.model, one.hold = CALLER, model(), HOLD
    one.particulars = NO_PARTICULARS
    one.context = Contexts(Preset()).read(one.inbound.headers, one.inbound.path)
    one.prepared, one.plan = one.request.body, Plan(tuple(to), 100, 100)
    return one


def send(
    *scripts: Play, to: Sequence[Candidate] = (candidate(),), body: bytes | None = None, **changes: Any
) -> tuple[Reply | Problem, FakeUpstreams, Exchange]:
    one, upstreams = ready(to, body), FakeUpstreams(*scripts)
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


KEEPS = Transcripts(RequestLogSettings(email_suffixes=("@example.com",)), store=None)


@pytest.mark.parametrize(
    ("scripts", "response"),
    [
        ([GOOD], encode(BODY)),
        ([answers(500, {"a": 1}), GOOD], encode(BODY)),
        ([answers(400, {"error": "no"})], encode({"error": "no"})),
        ([answers(500, {"a": 1}), REFUSED, REFUSED], encode({"a": 1})),  # the last one that was seen stands
        ([breaks(FailureKind.BROKEN)], EVENT),
        ([REFUSED, REFUSED, REFUSED], b""),
    ],
)
def test_the_copy_is_of_the_attempt_that_stands(scripts: list[Play], response: bytes) -> None:
    reply, upstreams, _ = send(*scripts, transcripts=KEEPS)
    assert isinstance(reply, Reply)
    assert reply.copy is not None
    assert (reply.copy.response, reply.copy.request) == (response, upstreams.sent[-1][2])
    assert send(*scripts)[0].copy is None  # nobody's are kept by default


def test_without_a_hold_the_journal_is_not_told() -> None:
    one, funds = ready(), FakeFunds(opens_left=0)
    one.hold = None
    reply = asyncio.run(send_upstream.run(one, services(client=FakeUpstreams(REFUSED, GOOD), funds=funds)))
    assert isinstance(reply, Reply)
    assert (reply.status, funds.opened) == (200, [])


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
    one, funds, upstreams = ready(), FakeFunds(), FakeUpstreams()
    one.client.gone = True
    problem = asyncio.run(send_upstream.run(one, services(client=upstreams, funds=funds)))
    assert isinstance(problem, Problem)
    assert (problem.code, upstreams.sent, funds.opened) == (Code.CLIENT_GONE, [], [])


def leaving(one: Exchange, script: Play) -> Play:
    """The client leaves meanwhile."""

    def play(sink: ReplySink) -> Failure | None:
        one.client.gone = True
        return script(sink)

    return play


@pytest.mark.parametrize(("script", "was_sent"), [(UNANSWERED, True), (answers(503, {}), True), (REFUSED, False)])
def test_one_who_leaves_before_a_retry_leaves_the_first_try_behind(script: Play, was_sent: bool) -> None:
    """What an upstream may bill for must not be forgotten because nobody waits for another try."""
    one = ready()
    upstreams = FakeUpstreams(leaving(one, script), GOOD)
    reply = asyncio.run(send_upstream.run(one, services(client=upstreams, settings=AT_ONCE)))
    assert isinstance(reply, Reply)
    assert (reply.was_sent, len(upstreams.sent)) == (was_sent, 1)


@pytest.mark.parametrize("script", [UNANSWERED, STALE, answers(503, {})])
def test_a_try_that_an_upstream_has_seen_is_not_forgotten_for_later_ones_that_none_has(script: Play) -> None:
    reply, upstreams, one = send(script, REFUSED, REFUSED)
    assert isinstance(reply, Reply)
    assert (reply.was_sent, len(upstreams.sent), len(one.attempts)) == (True, 3, 3)
    reply, _, _ = send(REFUSED, script, failure(FailureKind.UNWANTED))
    assert isinstance(reply, Reply)
    assert reply.was_sent


# the journal


def test_every_attempt_is_in_the_journal_before_it_is_sent() -> None:
    funds, opened = FakeFunds(), list[int]()

    def watched(script: Play) -> Play:
        def play(sink: ReplySink) -> Failure | None:
            opened.append(len(funds.opened))
            return script(sink)

        return play

    send(*[watched(script) for script in (REFUSED, answers(503, {}), GOOD)], funds=funds)
    assert opened == [1, 2, 3]
    assert {request_id for request_id, _ in funds.opened} == {"request-1"}


def test_the_journal_knows_the_last_attempt_and_those_before() -> None:
    """With how it ended it is the outcome, whoever served it at last."""
    both, funds = (candidate("first"), candidate("second")), FakeFunds()
    reply, _, one = send(REFUSED, GOOD, to=both, funds=funds)
    assert isinstance(reply, Reply)
    one.reply = reply
    settling = settle_funds.run(one, services(funds=funds))
    assert settling
    asyncio.run(settling)  # type: ignore[arg-type]  # a coroutine
    outcome = funds.closed[0]
    assert isinstance(outcome, Outcome)
    interrupted = recover("request-1", funds.opened[1][1], None, None).record
    assert (interrupted.provider_id, interrupted.attempts) == ("second", ("first:connect", "second:interrupted"))
    assert recover("request-1", funds.opened[1][1], None, encode_entry(closed_of(outcome))) == outcome


def test_nothing_is_sent_that_could_not_be_accounted_for() -> None:
    problem, upstreams, one = send(funds=FakeFunds(opens_left=0))
    assert isinstance(problem, Problem)
    assert (problem.code, problem.retry_after_s) == (Code.JOURNAL_UNAVAILABLE, 1)
    assert (upstreams.sent, one.attempts) == ([], [])


@pytest.mark.parametrize("script", [UNANSWERED, REFUSED, answers(503, {})])
def test_a_try_that_the_journal_refuses_leaves_the_one_before(script: Play) -> None:
    reply, upstreams, one = send(script, GOOD, funds=FakeFunds(opens_left=1))
    assert isinstance(reply, Reply)
    assert (len(upstreams.sent), len(one.attempts)) == (1, 1)
    assert reply.status == 503 or reply.failure


def test_what_goes_upstream() -> None:
    def shape(draft: Draft, attempt: Attempt) -> Draft:
        return draft.with_members(shaped=attempt.stream).with_headers({"x-shaped": attempt.new_uuid()})

    both = (candidate("plain"), candidate("shaping", rules=(shape,)))
    _, upstreams, _ = send(REFUSED, GOOD, to=both, body=body_of(model="VENDOR/name"))
    (_, head, plain, _), (_, again, shaped, _) = upstreams.sent
    assert head.startswith(b"POST /v1/chat/completions HTTP/1.1\r\n")
    assert b"X-Request-Id: request-1-1\r\n" in head
    assert b"X-Request-Id: request-1-2\r\n" in again
    assert head.endswith(b"Content-Length: %d\r\n\r\n" % len(plain))
    assert json.loads(plain)["model"] == "VENDOR/name"  # the caller's spelling of the same id
    assert json.loads(shaped)["shaped"] is False
    assert re.search(rb"\r\nx-shaped: [0-9a-f-]{36}\r\nX-Request-Id:", again)
    assert b"x-shaped" not in head


def test_another_id_upstream_replaces_the_callers() -> None:
    _, upstreams, _ = send(GOOD, body=body_of(model="alias"))
    assert json.loads(upstreams.sent[0][2])["model"] == "vendor/name"


def test_upstreams_know_the_user_by_a_hash_of_their_own() -> None:
    """Whatever the client said about that; a provider's own wishes come last."""

    def without_user(draft: Draft, _: Attempt) -> Draft:
        return draft.with_body({name: value for name, value in draft.body.items() if name != "user"})

    both = (candidate("first"), candidate("second"), candidate("shy", rules=(without_user,)))
    _, upstreams, one = send(REFUSED, REFUSED, GOOD, to=both, body=body_of(user="mine", safety_identifier=["x"]))
    first, second, shy = (json.loads(body) for _, _, body, _ in upstreams.sent)
    hashes = services().user_hashes
    assert first["user"] == first["safety_identifier"] == hashes.user("first", "", CALLER.user_id)
    assert second["user"] == second["safety_identifier"] == hashes.user("second", "", CALLER.user_id)
    assert shy["safety_identifier"] == hashes.user("shy", "", CALLER.user_id)
    assert "user" not in shy
    assert (one.prepared["user"], one.request.body["user"]) == ("mine", "mine")


def test_a_custom_upstream_knows_the_user_by_its_address() -> None:
    _, upstreams, _ = send(GOOD, to=(candidate(CUSTOM),))
    expected = services().user_hashes.user(CUSTOM, "http://up.example/v1", CALLER.user_id)
    assert json.loads(upstreams.sent[0][2])["user"] == expected


def test_failures_are_counted() -> None:
    everything = services(client=FakeUpstreams(REFUSED, answers(503, {}), GOOD), settings=AT_ONCE)
    one = ready()
    asyncio.run(send_upstream.run(one, everything))
    rendered = everything.metrics.render().decode()
    for kind in ("connect", "503"):
        assert f'tollway_upstream_failures_total{{kind="{kind}",upstream="sim"}} 1.0' in rendered
    assert one.attempts == ["sim:connect", "sim:503", "sim:200"]


def test_a_relay_under_way_tells_the_journal_and_can_be_ended() -> None:
    written: list[str] = []
    relays = OpenRelays(lambda entries: written.extend(request_id for request_id, _ in entries))
    sinks: list[ReplySink] = []

    def hangs(sink: ReplySink) -> None:
        sinks.append(sink)
        sink.head_arrived(AnswerHead(200, b"text/event-stream"))

    async def scenario() -> Reply | Problem:
        work = send_upstream.run(ready(), services(client=FakeUpstreams(hangs), relays=relays))
        sending = asyncio.create_task(work)
        await turns()
        sinks[0].body_arrived(EVENT)
        assert written == []
        relays.note_all()
        assert written == ["request-1"]
        sinks[0].body_arrived(EVENT * 200)  # more than may be lost
        assert written == ["request-1"] * 2
        assert relays.shut_down() == 1
        return await sending

    reply = asyncio.run(scenario())
    assert isinstance(reply, Reply)
    assert reply.failure
    assert reply.failure.kind is FailureKind.SHUTDOWN
    assert relays.shut_down() == 0  # it is not known any more


# failures of the two providers of a split

SPLIT = Split(default_provider="first", provider="second", cache_s=0)


def rates(*scripts: Play, failing: str = "first", settings: Any = AT_ONCE) -> int:
    """The second provider's share after a request to `failing`, which is one of the two of the split."""
    split = TrafficSplit(Preset(split=SPLIT))
    send(*scripts, to=(candidate(failing),), settings=settings, split=split)
    return split.percentage_at(1_000)


ONCE = parse({"retries": {"count_max": 0}})


@pytest.mark.parametrize(
    "script",
    [
        answers(503, {}),
        answers(400, {}),
        answers(200, {**BODY, "model": None}),
        breaks(FailureKind.BROKEN),
        breaks(FailureKind.EMPTY),
        *(failure(kind) for kind in (FailureKind.CONNECT, FailureKind.RESOLVE, FailureKind.SEND)),
        *(failure(kind, sent=True) for kind in (FailureKind.NO_ANSWER, FailureKind.TIMEOUT)),
    ],
)
def test_what_fails_is_counted_against_its_provider(script: Play) -> None:
    assert rates(script, settings=ONCE) == 90
    assert rates(script, settings=ONCE, failing="second") == 10
    assert rates(script, settings=ONCE, failing="third") == 10


@pytest.mark.parametrize("kind", [FailureKind.SATURATED, FailureKind.UNWANTED, FailureKind.SHUTDOWN])
def test_what_is_our_own_doing_is_not(kind: FailureKind) -> None:
    assert rates(failure(kind), settings=ONCE) == 10


def test_each_attempt_counts() -> None:
    """One of two is not more than half."""
    assert rates(answers(503, {}), GOOD) == 10
    assert rates(answers(503, {}), answers(503, {}), GOOD) == 90
    assert rates(GOOD) == 10


def test_an_answer_that_nobody_waited_for_is_nobodys_failure() -> None:
    one, split = ready((candidate("first"),)), TrafficSplit(Preset(split=SPLIT))
    reply = Reply(candidate("first"), 200, Answer(), abandoned=True)
    assert reply.has_error  # what is stored about it
    send_upstream._note(one, services(split=split), reply)
    assert split.percentage_at(1_000) == 10
    send_upstream._note(one, services(split=split), replace(reply, abandoned=False, facts=Answer(has_error=True)))
    assert split.percentage_at(1_000) == 90


# upstreams that keep failing


def test_an_upstream_that_keeps_failing_is_left_alone() -> None:
    everything = services(client=FakeUpstreams(*[answers(500, {})] * 10), settings=ONCE)
    for _ in range(10):
        asyncio.run(send_upstream.run(ready(), everything))
    problem = asyncio.run(send_upstream.run(ready(), everything))
    assert isinstance(problem, Problem)
    assert (problem.code, problem.http_status, problem.retry_after_s) == (Code.UPSTREAM_UNAVAILABLE, 503, 15)
    assert everything.breakers.open_count() == 1


def test_a_trial_that_never_began_lets_the_next_one_through() -> None:
    """Its end cannot be told to anybody later: nothing was sent."""
    funds, upstreams = FakeFunds(), FakeUpstreams(*[answers(500, {})] * 10, GOOD)
    clock = Clock()
    everything = services(client=upstreams, funds=funds, settings=ONCE, clock=clock)
    for _ in range(10):
        asyncio.run(send_upstream.run(ready(), everything))
    clock.now += 15
    funds.away = True
    refused = asyncio.run(send_upstream.run(ready(), everything))
    assert isinstance(refused, Problem)
    assert refused.code is Code.JOURNAL_UNAVAILABLE
    funds.away = False
    assert isinstance(asyncio.run(send_upstream.run(ready(), everything)), Reply)
    assert everything.breakers.open_count() == 0


def test_another_candidate_takes_its_place() -> None:
    to = (candidate("first"), candidate("second"))
    upstreams = FakeUpstreams(*[answers(500, {})] * 10, GOOD)
    everything = services(client=upstreams, settings=ONCE)
    for _ in range(10):
        asyncio.run(send_upstream.run(ready(to[:1]), everything))
    reply = asyncio.run(send_upstream.run(ready(to), everything))
    assert isinstance(reply, Reply)
    assert (reply.candidate.upstream.id, upstreams.sent[-1][0]) == ("second", "second")


def test_the_reply_stands_whose_upstream_was_left_alone_for_it() -> None:
    settings = parse({"retries": {"backoff_s": 0}, "breaker": {"failures_in_a_row": 1}})
    reply, upstreams, _ = send(answers(500, {}), settings=settings)
    assert isinstance(reply, Reply)
    assert (reply.status, len(upstreams.sent)) == (500, 1)


@pytest.mark.parametrize(
    ("script", "opens"),
    [
        (answers(500, {}), True),
        (answers(529, {}), True),
        (answers(302, {}), True),
        (breaks(FailureKind.BROKEN), True),
        (breaks(FailureKind.EMPTY), True),
        (failure(FailureKind.CONNECT), True),
        (failure(FailureKind.TIMEOUT, sent=True), True),
        (answers(400, {}), False),
        (answers(401, {}), False),
        (answers(402, {}), False),
        (answers(429, {}), False),
        (failure(FailureKind.SATURATED), False),
        (failure(FailureKind.SHUTDOWN), False),
        (answers(200, {**BODY, "error": {"message": "m"}}), False),
        (GOOD, False),
    ],
)
def test_what_counts_against_an_upstream(script: Play, opens: bool) -> None:
    everything = services(
        client=FakeUpstreams(script), settings=parse({"retries": {"count_max": 0}, "breaker": {"failures_in_a_row": 1}})
    )
    asyncio.run(send_upstream.run(ready(), everything))
    assert everything.breakers.open_count() == opens


def test_an_own_endpoint_fails_for_its_owner_alone() -> None:
    everything = services(client=FakeUpstreams(*[answers(500, {})] * 10, GOOD, GOOD), settings=ONCE)
    for _ in range(10):
        one = ready()
        one.own = OWN
        asyncio.run(send_upstream.run(one, everything))
    refused = asyncio.run(send_upstream.run(one, everything))
    assert isinstance(refused, Problem)
    assert isinstance(asyncio.run(send_upstream.run(ready(), everything)), Reply)
    one.caller = Caller("user-2", "bob@example.com")
    assert isinstance(asyncio.run(send_upstream.run(one, everything)), Reply)


def test_a_custom_llm_fails_for_all_who_have_it_and_for_no_other() -> None:
    """They all are of one provider, and several may have the same name at their vendors."""
    everything = services(client=FakeUpstreams(*[answers(500, {})] * 10, GOOD), settings=ONCE)

    def asked(public_id: str, user_id: str) -> Reply | Problem:
        one = ready()
        one.own = OwnRoute(Rule.CUSTOM_LLM, False, True, model(), options=ModelOptions(public_id, "x"))
        one.model, one.caller = model(id_=public_id), Caller(user_id, "x@example.com")
        return asyncio.run(send_upstream.run(one, everything))

    for _ in range(10):
        asked("in/one", "user-1")
    assert isinstance(asked("in/one", "user-2"), Problem)
    assert isinstance(asked("in/two", "user-1"), Reply)


def test_one_who_leaves_counts_against_nobody() -> None:
    def play(sink: ReplySink) -> Failure:
        one.client.gone = True
        return Failure(FailureKind.TIMEOUT, "why", True)

    one = ready()
    everything = services(client=FakeUpstreams(play), settings=parse({"breaker": {"failures_in_a_row": 1}}))
    asyncio.run(send_upstream.run(one, everything))
    assert everything.breakers.open_count() == 0


# refusals


@pytest.mark.parametrize(("id_", "is_kept"), [("vendor/name", False), (HOSTED, True)])
def test_what_was_sent_is_kept_where_a_refusal_may_speak_of_it(id_: str, is_kept: bool) -> None:
    one = ready()
    one.kind = Classification(PRESET).kind_of(id_)
    upstreams = FakeUpstreams(answers(400, {}), GOOD)
    everything = services(client=upstreams, settings=ONCE)
    refused = asyncio.run(send_upstream.run(one, everything))
    assert isinstance(refused, Reply)
    assert refused.sent_body == (upstreams.sent[0][2] if is_kept else b"")
    good = asyncio.run(send_upstream.run(one, everything))
    assert isinstance(good, Reply)
    assert good.sent_body == b""


def test_every_refusal_is_reported() -> None:
    lines: list[dict[str, Any]] = []
    log = RequestLog(lambda written: lines.extend(map(json.loads, written.splitlines())), lambda _: None)
    send(answers(500, {}), answers(400, {}), request_log=log)
    log.flush()
    assert [(line["event"], line["status"]) for line in lines] == [("upstream_refused", 500), ("upstream_refused", 400)]


@pytest.mark.parametrize("own", [None, OwnRoute(Rule.OWN_KEYS, True, False, keys=(OwnKey("anthropic", "sk-fake"),))])
def test_rules_see_the_callers_own_keys(own: OwnRoute | None) -> None:
    seen: list[Attempt] = []

    def look(draft: Draft, attempt: Attempt) -> Draft:
        seen.append(attempt)
        return draft

    one, upstreams = ready((candidate(rules=(look,)),)), FakeUpstreams(GOOD)
    one.own = own
    asyncio.run(send_upstream.run(one, services(client=upstreams, settings=AT_ONCE)))
    assert [attempt.own_keys for attempt in seen] == [own and own.keys]
