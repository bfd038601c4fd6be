"""What goes to a vendor, and what is remembered of its answer. The translators have tests of their own."""

import asyncio
from typing import Any

import pytest
from msgspec.json import encode
from msgspec.structs import replace

from tollway.gateway.dialects import Dialects, dialects_of
from tollway.gateway.exchange import Exchange
from tollway.gateway.phases import PhaseMemory
from tollway.gateway.translation import Translated, translate
from tollway.providers.provider import MESSAGES, RESPONSES
from tollway.routing.plan import Candidate
from tollway.routing.precedence import OwnRoute, Rule
from tollway.wire.chat import parse_chat
from tollway.wire.dialects.parameters import ModelOptions
from tollway.wire.dialects.phases import phase_key
from tollway.wire.dialects.refusal import Refusal
from unit.gateway.fakes import (
    CALLER,
    NOW,
    PRESET,
    FakePhases,
    body_of,
    candidate,
    exchange,
    model,
    services,
    settled,
    upstream,
)

OPTIONS = ModelOptions("in/llm", "vendor-x")
SAID = {"role": "assistant", "content": "Ok"}
KEY = phase_key("user-1", "t1", ["Ok"])
DONE: Any = {"type": "message", "id": "m", "phase": "final_answer", "content": [{"type": "output_text", "text": "Ok"}]}


def asked(*messages: Any, agent: bytes = b"", options: ModelOptions | None = OPTIONS, **more: Any) -> Exchange:
    headers = {b"user-agent": agent, b"x-tollway-taskid": b"t1"}
    one = exchange(body_of(messages=list(messages) or [{"role": "user", "content": "hi"}], **more), headers)
    one.request = parse_chat(one.inbound.body)
    one.context = services().contexts.read(headers, one.inbound.path)
    one.caller, one.model = CALLER, model(id_="in/llm")
    one.own = OwnRoute(Rule.CUSTOM_LLM, False, True, model(), upstream(), options=options) if options else None
    return one


def dialects(phases: FakePhases | None = None) -> Dialects:
    return dialects_of(PRESET, PhaseMemory(phases or FakePhases(), lambda: NOW))


def at(dialect: str, base_url: str = "https://proxy.example/v1") -> Candidate:
    one = candidate(dialect=dialect)
    return replace(one, upstream=_moved(one.upstream, base_url))


def _moved(one: Any, base_url: str) -> Any:
    return type(one)(one.id, one.provider, base_url, one.origin, one.head)


def translated(one: Exchange, to: Candidate, known: Dialects | None = None) -> Translated:
    async def work() -> Translated:
        found = await settled(translate(one, known or dialects(), to, one.request.body))
        assert isinstance(found, Translated), found
        return found

    return asyncio.run(work())


def events(*told: Any) -> bytes:
    return b"".join(b"data: %b\n\n" % encode(one) for one in told)


def test_the_row_says_what_it_is_called_on_both_sides() -> None:
    messages = translated(asked(stream=True), at(MESSAGES))
    assert messages.body["model"] == "vendor-x"
    assert messages.headers["anthropic-version"]
    assert b'"in/llm"' in messages.answer.stream().feed(
        events(
            {"type": "message_start", "message": {"id": "m"}},
            {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
            {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "hi"}},
        )
    )
    whole = {"id": "m", "type": "message", "content": [{"type": "text", "text": "hi"}], "stop_reason": "end_turn"}
    assert b'"in/llm"' in messages.answer.whole(encode(whole))
    responses = translated(asked(), at(RESPONSES))
    assert (responses.body["model"], responses.headers) == ("vendor-x", {})
    output = [{"type": "message", "content": [{"type": "output_text", "text": "hi"}]}]
    assert b'"in/llm"' in responses.answer.whole(encode({"id": "r", "status": "completed", "output": output}))


def test_a_hosted_model_has_no_row_and_reasons() -> None:
    """request-path 8.5.3"""
    body = translated(asked(options=None, model="internal/x"), at(RESPONSES)).body
    assert (body["model"], body["reasoning"]) == ("internal/x", {"summary": "auto"})


@pytest.mark.parametrize(("agent", "parallel"), [(b"Kilo-Code/5.1", False), (b"curl", True)])
def test_old_clients_are_told_by_their_name(agent: bytes, parallel: bool) -> None:
    assert translated(asked(agent=agent), at(RESPONSES)).body["parallel_tool_calls"] is parallel


def test_what_has_no_word_there_is_refused() -> None:
    for dialect in (MESSAGES, RESPONSES):
        one = asked({"role": "user", "content": [{"type": "input_audio", "input_audio": {}}]})
        assert isinstance(translate(one, dialects(), at(dialect), one.request.body), Refusal)


def test_phases_go_back_to_the_vendor_that_gave_them_and_to_no_other() -> None:
    phases = FakePhases(**{KEY: "final_answer"})
    one = asked({"role": "user", "content": "hi"}, SAID, {"role": "user", "content": "go on"})
    marked = translated(one, at(RESPONSES, "https://api.openai.com/v1"), dialects(phases)).body["input"]
    assert [item.get("phase") for item in marked] == [None, "final_answer", None]
    assert phases.asked == [[KEY]]
    plain = translated(one, at(RESPONSES), dialects(phases)).body["input"]
    assert [item.get("phase") for item in plain] == [None] * 3
    assert len(phases.asked) == 1


def test_phases_that_are_not_to_be_had_stop_nothing() -> None:
    phases = FakePhases()
    phases.failing = True
    one = asked({"role": "user", "content": "hi"}, SAID)
    assert translated(one, at(RESPONSES, "https://api.openai.com/v1"), dialects(phases)).body["input"]


def test_phases_of_an_answer_are_noted_as_they_are_told() -> None:
    known = dialects()
    stream = translated(asked(stream=True), at(RESPONSES), known).answer.stream()
    stream.feed(events({"type": "response.output_item.done", "output_index": 0, "item": DONE}))
    assert asyncio.run(known.phases.find([KEY])) == {KEY: "final_answer"}  # type: ignore[arg-type]
