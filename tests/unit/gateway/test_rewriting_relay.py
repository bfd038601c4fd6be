"""The rewriting relays between a fake upstream and a fake client; what all relays share is tested in test_relay.py."""

import asyncio
import json
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.json import decode, encode
from structlog.testing import capture_logs

from tollway.billing.cost import reported_cost
from tollway.catalog.classification import Classification
from tollway.deadlines import Deadlines
from tollway.gateway.drains import Drains
from tollway.gateway.relay import Relay
from tollway.gateway.reply import Reply
from tollway.gateway.rewriting_relay import (
    Rewriting,
    RewritingRelay,
    TranslatingRelay,
    Translation,
    disguise_of,
    disguised,
    relay_for,
)
from tollway.gateway.upstream_port import Failure, FailureKind
from tollway.identity.caller import Caller
from tollway.identity.promotions import Promoted
from tollway.settings import Limits, Timeouts
from tollway.steps import Later
from tollway.wire.answer_head import AnswerHead
from tollway.wire.dialects.anthropic_answer_to_chat import AnthropicToChatStream
from tollway.wire.dialects.chat_answer_to_anthropic import ChatToAnthropicStream
from tollway.wire.dialects.provider_error import ProviderError
from tollway.wire.rewrite import DONE, Disguise
from tollway.wire.usage import Usage
from unit.gateway.fakes import (
    CALLER,
    HOSTED,
    NOW,
    OWN,
    PRESET,
    Clock,
    FakeClient,
    FakeConnection,
    candidate,
    exchange,
    model,
    services,
)

EVENT = b'data: {"id":"a","model":"hidden","choices":[{"index":0,"delta":{"content":"hi"}}]}\n\n'
SHOWN = EVENT.replace(b"hidden", b"shown")
FINISH = b'data: {"id":"a","model":"hidden","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\n'
USAGE = (
    b'data: {"id":"a","model":"hidden","choices":[],"usage":{"prompt_tokens":3,"completion_tokens":2,"cost":0.5}}\n\n'
)
ERROR = b'data: {"id":"a","model":"hidden","error":{"message":"Acme fell","code":"c"},"choices":[]}\n\n'
BODY = encode(
    {
        "id": "a",
        "model": "hidden",
        "choices": [{"message": {"content": "hi"}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 3, "completion_tokens": 2, "cost": 0.5},
    }
)
BROKEN = Failure(FailureKind.BROKEN, "reset", True)
LIMITS = Limits(upstream_line_bytes=1_000, upstream_stream_bytes=10_000, upstream_body_bytes=1_000)
DISGUISE = Disguise("shown", "WAIT")
DISGUISED = partial(RewritingRelay, disguised(DISGUISE))


class Upper:
    """A translation that shouts, event by event, and says its own ending."""

    error: ProviderError | None = None
    has_output = True

    def __init__(self) -> None:
        self.kept = b""

    def feed(self, data: bytes) -> bytes:
        whole, mark, self.kept = (self.kept + data).rpartition(b"\n\n")
        return (whole + mark).replace(b"hi", b"HI")

    def close(self) -> bytes:
        return b'data: {"id":"a","model":"hidden","choices":[{"delta":{},"finish_reason":"stop"}]}\n\n' + DONE


TRANSLATION = Translation(Upper, lambda body: body.replace(b"hi", b"HI"))


class Stage:
    """A relay with everything around it."""

    def __init__(self, make: Callable[..., Relay] = DISGUISED, stops_billing: bool = False) -> None:
        self.clock = Clock()
        self.client = FakeClient()
        self.connection = FakeConnection(self.clock.now + 60)
        deadlines, drains, end = Deadlines(self.clock), Drains(1, lambda _: None), Later[Reply]()
        self.deadlines = deadlines
        who = candidate(stops_billing_on_abort=stops_billing)
        self.relay = make(self.client, who, deadlines, LIMITS, Timeouts(), drains, b"", end, lambda *_: None)
        self.relay.attach(self.connection)

    def stream(self, *pieces: bytes) -> None:
        self.relay.head_arrived(AnswerHead(200, b"text/event-stream"))
        for piece in pieces:
            self.relay.body_arrived(piece)

    @property
    def reply(self) -> Reply:
        return self.relay.finished.result()


def play(scenario: Callable[[], None]) -> None:
    async def inside() -> None:
        scenario()

    asyncio.run(inside())


def test_nothing_is_passed_on_as_it_came() -> None:
    """However ordinary it is: what the client gets is something else."""

    def scenario() -> None:
        for make in (DISGUISED, partial(TranslatingRelay, TRANSLATION)):
            stage = Stage(make)
            stage.stream(*[EVENT] * 30)
            assert not stage.relay.takes_chunk(b"%x\r\n%b\r\n" % (len(EVENT), EVENT), 4)
            stage.relay.shut_down()

    play(scenario)


# a disguise


def test_accounting_sees_what_the_upstream_sent_and_the_client_what_was_made_of_it() -> None:
    def scenario() -> None:
        stage = Stage()
        stage.stream(EVENT[:20], EVENT[20:] + b": Acme\n\n" + FINISH, USAGE + DONE)
        assert b"hidden" not in stage.client.body
        assert b"cost" not in stage.client.body
        assert b": WAIT\n\n" in stage.client.body
        assert stage.client.body.startswith(SHOWN)
        facts = stage.reply.facts
        assert (facts.model, facts.usage and reported_cost(facts.usage)) == ("hidden", 500_000)
        assert (stage.reply.ending, stage.reply.failure) == (DONE, None)

    play(scenario)


def test_an_event_is_with_the_client_when_it_is_complete() -> None:
    def scenario() -> None:
        stage = Stage()
        stage.stream(EVENT[:-1])
        assert not stage.client.started
        stage.relay.body_arrived(EVENT[-1:])
        assert stage.client.body == SHOWN

    play(scenario)


@given(st.lists(st.integers(0, 300), max_size=6))
def test_how_the_bytes_were_cut_changes_nothing(cuts: list[int]) -> None:
    body = EVENT + b": x\r\n\r\n" + EVENT.replace(b"\n", b"\r") + b"data: {bad\n\n" + FINISH + USAGE + DONE

    def scenario() -> None:
        whole, parts = Stage(), Stage()
        whole.stream(body)
        places = [0, *sorted(cuts), len(body)]
        parts.stream(*[body[begin:end] for begin, end in pairwise(places)])
        assert parts.client.body + parts.reply.ending == whole.client.body + whole.reply.ending
        assert parts.reply.facts == whole.reply.facts

    with capture_logs():
        play(scenario)


@pytest.mark.parametrize("last", [b"", FINISH[:-1], FINISH[:-2]])
def test_a_clean_end_gets_its_done(last: bytes) -> None:
    def scenario() -> None:
        stage = Stage()
        stage.stream(EVENT, last or FINISH)
        stage.relay.ended()
        assert stage.reply.failure is None
        assert stage.client.body + stage.reply.ending == SHOWN + FINISH.replace(b"hidden", b"shown") + DONE

    play(scenario)


def test_a_break_gets_none() -> None:
    def scenario() -> None:
        for end in (lambda stage: stage.relay.failed(BROKEN), lambda stage: stage.relay.ended()):
            stage = Stage()
            stage.stream(EVENT, EVENT[:30])
            end(stage)
            assert stage.reply.failure
            assert (stage.client.body, stage.reply.ending) == (SHOWN, b"")

    play(scenario)


@pytest.mark.parametrize(("text", "shown"), [("", "Acme fell"), ("unable", "unable")])
def test_an_upstreams_own_error_event_is_the_only_one(text: str, shown: str) -> None:
    def scenario() -> None:
        stage = Stage(partial(RewritingRelay, disguised(Disguise("shown", "WAIT", text))))
        stage.stream(EVENT, ERROR, DONE)
        assert (stage.reply.told_error, stage.reply.ending) == (True, b"")
        event = json.loads(stage.client.body.removeprefix(SHOWN)[6:])
        assert (event["error"]["message"], event["model"]) == (shown, "shown")

    play(scenario)


def test_what_cannot_be_read_is_left_out_and_told_once() -> None:
    def scenario() -> None:
        stage = Stage()
        with capture_logs() as lines:
            stage.stream(b"data: {bad\n\n", EVENT, b"data: hidden\n\n", FINISH, DONE)
        assert stage.client.body == SHOWN + FINISH.replace(b"hidden", b"shown")
        assert [(line["event"], line["events"]) for line in lines] == [("unreadable_events_dropped", 2)]

    play(scenario)


def test_a_whole_answer_is_rewritten_and_a_refusal_is_not() -> None:
    def scenario() -> None:
        good, bad, text = Stage(), Stage(), Stage()
        good.relay.whole_arrived(AnswerHead(200), BODY)
        assert good.reply.facts.usage
        assert reported_cost(good.reply.facts.usage) == 500_000
        assert json.loads(good.reply.body)["model"] == "shown"
        assert b"cost" not in good.reply.body
        bad.relay.whole_arrived(AnswerHead(500), BODY)
        assert bad.reply.body == BODY
        text.relay.whole_arrived(AnswerHead(200), b"<hidden>")
        assert text.reply.failure
        assert text.reply.body == b""

    play(scenario)


def test_what_cannot_be_rewritten_is_not_shown() -> None:
    """It is JSON to who reads only some of it, and too deep to be written again."""

    def scenario() -> None:
        stage = Stage()
        deep = b'{"id":"a","model":"hidden","choices":[],"x":%b}' % (b"[" * 100 + b"]" * 100)
        stage.relay.whole_arrived(AnswerHead(200), deep)
        assert stage.reply.failure
        assert (stage.reply.failure.kind, stage.reply.body) == (FailureKind.BROKEN, b"")
        assert (stage.reply.facts.has_error, stage.reply.facts.has_output) == (True, False)

    play(scenario)


def test_a_slow_client_a_leaving_one_and_a_waiting_one() -> None:
    def scenario() -> None:
        stage = Stage()
        stage.stream(EVENT)
        assert stage.client.listener
        stage.client.listener.client_paused()
        assert stage.connection.is_paused
        stage.client.listener.client_resumed()
        stage.clock.now += 20
        stage.deadlines.sweep()
        assert stage.client.body == SHOWN + b": WAIT\n\n"
        stage.client.gone = True
        stage.client.listener.client_gone()
        stage.relay.body_arrived(FINISH + USAGE + DONE)
        assert stage.client.body == SHOWN + b": WAIT\n\n"
        assert stage.reply.facts.usage is not None

    play(scenario)


def test_an_answer_that_was_left_is_no_broken_one() -> None:
    def scenario() -> None:
        stage = Stage(stops_billing=True)
        stage.relay.head_arrived(AnswerHead(200))
        assert stage.client.listener
        stage.client.listener.client_gone()
        assert (stage.reply.abandoned, stage.reply.failure) == (True, None)

    play(scenario)


def test_bounds_are_those_of_every_relay() -> None:
    def scenario() -> None:
        for pieces in ((b"data: " + b"x" * 2_000,), (EVENT,) * 200):
            stage = Stage()
            stage.stream(*pieces)
            assert stage.connection.is_abandoned
            assert stage.reply.failure
            assert stage.reply.failure.kind is FailureKind.TOO_LARGE

    play(scenario)


# a translation


def test_accounting_sees_the_translation() -> None:
    def scenario() -> None:
        stage = Stage(partial(TranslatingRelay, TRANSLATION))
        stage.stream(EVENT[:30], EVENT[30:], EVENT[:-1])
        assert stage.client.body == EVENT.replace(b"hi", b"HI")
        stage.relay.ended()
        assert (stage.reply.ending, stage.reply.failure) == (DONE, None)
        assert (stage.reply.facts.finish_reason, stage.reply.facts.has_output) == ("stop", True)
        assert b'"HI"' in stage.client.body

    play(scenario)


def test_a_translation_that_broke_off_is_not_closed() -> None:
    def scenario() -> None:
        stage = Stage(partial(TranslatingRelay, TRANSLATION))
        stage.stream(EVENT)
        stage.relay.failed(BROKEN)
        assert (stage.reply.failure, stage.reply.ending) == (BROKEN, b"")

    play(scenario)


def test_a_whole_answer_is_translated_before_it_is_read() -> None:
    def scenario() -> None:
        answer = BODY.replace(b"hidden", b"vendor")
        translated = Stage(partial(TranslatingRelay, Translation(Upper, lambda _: answer)))
        translated.relay.whole_arrived(AnswerHead(200), b"{}")
        assert (translated.reply.facts.model, translated.reply.body) == ("vendor", answer)
        refused = Stage(partial(TranslatingRelay, Translation(Upper, lambda _: answer)))
        refused.relay.whole_arrived(AnswerHead(400), b"{}")
        assert refused.reply.body == b"{}"

    play(scenario)


def test_what_an_upstream_sends_is_bounded_whatever_is_made_of_it() -> None:
    class Silent(Upper):
        def feed(self, data: bytes) -> bytes:
            return b""

    def scenario() -> None:
        stage = Stage(partial(TranslatingRelay, Translation(Silent, bytes)))
        stage.stream(*[b"x" * 1_000] * 12)
        assert stage.connection.is_abandoned
        assert stage.reply.failure
        assert stage.reply.failure.kind is FailureKind.TOO_LARGE

    play(scenario)


# chunks that end in another dialect


def test_the_ending_that_was_kept_back_is_rewritten_too() -> None:
    """As a client's dialect has it, whose last events come with [DONE]."""

    class Counting(Upper):
        def close(self) -> bytes:
            return b"closed"

    def scenario() -> None:
        stage = Stage(partial(RewritingRelay, Rewriting(Counting, bytes)))
        stage.stream(EVENT, DONE)
        assert (stage.client.body, stage.reply.ending) == (EVENT.replace(b"hi", b"HI"), DONE + b"closed")

    play(scenario)


MESSAGES = b"".join(
    b"event: %b\ndata: %b\n\n" % (event["type"].encode(), encode(event))
    for event in (
        {"type": "message_start", "message": {"id": "m1", "usage": {"input_tokens": 3, "output_tokens": 1}}},
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "hi"}},
        {"type": "content_block_stop", "index": 0},
        {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 2}},
        {"type": "message_stop"},
    )
)


@pytest.mark.parametrize("size", [1, 7, 10_000])
def test_an_upstream_of_another_dialect(size: int) -> None:
    def scenario() -> None:
        stage = Stage(partial(TranslatingRelay, Translation(partial(AnthropicToChatStream, "a/b"), bytes)))
        stage.stream(*[MESSAGES[at : at + size] for at in range(0, len(MESSAGES), size)])
        facts = stage.reply.facts
        assert (facts.model, facts.finish_reason, facts.usage) == ("a/b", "stop", Usage(3, 2))
        assert (stage.reply.failure, stage.reply.ending) == (None, DONE)
        assert b'"content":"hi"' in stage.client.body

    play(scenario)


FAILING = b'data: {"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}\n\n'
TO_CHAT = partial(TranslatingRelay, Translation(partial(AnthropicToChatStream, "a/b"), bytes))


def test_a_stream_that_begins_with_an_error_is_a_refusal() -> None:
    """So that it can be tried again, and the client sees a status (response-path 5.12)."""

    def scenario() -> None:
        stage = Stage(TO_CHAT)
        stage.stream(FAILING)
        reply = stage.reply
        assert (reply.status, reply.streamed, reply.failure) == (529, False, None)
        assert decode(reply.body)["error"]["message"] == "Overloaded"
        assert not stage.client.started
        assert stage.connection.is_abandoned
        assert reply.has_error
        stage.relay.ended()  # nothing more comes of it
        assert stage.reply is reply

    play(scenario)


@pytest.mark.parametrize("first", ["output", "comment"])
def test_an_error_after_anything_was_told_is_an_event(first: str) -> None:
    def scenario() -> None:
        stage = Stage(TO_CHAT)
        stage.stream(MESSAGES[: MESSAGES.index(b"event: content_block_stop")] if first == "output" else b"")
        if first == "comment":
            stage.clock.now += 16
            stage.deadlines.sweep()
        assert stage.client.started
        stage.relay.body_arrived(FAILING)
        stage.relay.ended()
        assert b'"message":"Overloaded"' in stage.client.body
        assert (stage.reply.status, stage.reply.has_error, stage.reply.told_error) == (200, True, True)

    play(scenario)


def test_a_client_of_another_dialect() -> None:
    def scenario() -> None:
        stage = Stage(partial(RewritingRelay, Rewriting(partial(ChatToAnthropicStream, "m1", "a/b"), bytes)))
        stage.stream(EVENT, USAGE, DONE)  # no finish reason: its last events come with [DONE]
        assert stage.client.body.startswith(b"event: message_start\n")
        assert stage.reply.ending.endswith(b'data: {"type":"message_stop"}\n\n')
        assert b"[DONE]" not in stage.client.body + stage.reply.ending

    play(scenario)


# which one


def test_an_own_endpoint_wears_none() -> None:
    one = exchange()
    one.kind, one.caller, one.model, one.own = Classification(PRESET).kind_of(HOSTED), CALLER, model(), OWN
    assert disguise_of(one, services()) is None


PROMOTED = {"a/b": (Promoted("bot_id", "reviewer", None, datetime(2027, 1, 1, tzinfo=UTC)),)}


@pytest.mark.parametrize(
    ("id_", "caller", "promotions", "disguise"),
    [
        ("a/b", CALLER, {}, None),
        ("a/b", CALLER, PROMOTED, None),
        ("a/b", Caller("u", "e", bot_id="reviewer"), PROMOTED, Disguise("a/b", "TOLLWAY PROCESSING")),
        ("c/d", Caller("u", "e", bot_id="reviewer"), PROMOTED, None),
        (HOSTED, CALLER, {}, Disguise(HOSTED, "TOLLWAY PROCESSING")),
        (
            "giga-potato",
            CALLER,
            {},
            Disguise("giga-potato", "TOLLWAY PROCESSING", "Stealth model unable to process request"),
        ),
        ("z-ai/glm-5:free", CALLER, {}, None),  # has ended
    ],
)
def test_hosted_models_and_promotions_wear_one(
    id_: str, caller: Caller, promotions: dict[str, Any], disguise: Disguise | None
) -> None:
    one = exchange()
    one.kind, one.caller, one.model, one.received_at = Classification(PRESET).kind_of(id_), caller, model(id_=id_), NOW
    one.own = None
    everything = services(promotions=promotions, preset=PRESET)
    assert disguise_of(one, everything) == disguise
    assert (relay_for(one, everything) is Relay) == (disguise is None)
