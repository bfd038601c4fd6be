"""Vectors of response-path §16.7: answers of hosted models, as pure functions and through the running gateway."""

import json
from collections.abc import Callable
from threading import Event
from typing import Any

import pytest

from flow.conversation import Conversation
from flow.raw import ask as ask_raw
from flow.raw import request
from tollway.wire.rewrite import Disguise, StreamRewriter, rewritten_answer
from vectors.scripted import LAST_CHUNK, RESET, STREAM_HEAD, chunk, stream, whole
from vectors.world import PATH, World, body_for

NAME = "giga-potato-thinking"
DISGUISE = Disguise(NAME, "TOLLWAY PROCESSING")
DONE = b"data: [DONE]\n\n"
T7 = b"""\
data: {"id":"c1","model":"ep-2026","choices":[{"index":0,"delta":{"role":null,"reasoning_content":"Let me"}}]}

: upstream alive

data: {bad

data: {"id":"c1","model":"ep-2026","choices":[{"index":0,"delta":{"content":"Hi","reasoning_content":""},\
"finish_reason":"stop"}]}

data: {"id":"c1","model":"ep-2026","usage":{"prompt_tokens":10,"completion_tokens":2,"total_tokens":12,\
"cost":0.0001,"cost_details":{"upstream_inference_cost":0.0001},"is_byok":false}}

data: [DONE]

"""
T7_SHOWN = b"""\
data: {"id":"c1","model":"giga-potato-thinking","choices":[{"index":0,"delta":{"reasoning":"Let me",\
"reasoning_details":[{"type":"reasoning.text","text":"Let me"}]}}]}

: TOLLWAY PROCESSING

data: {"id":"c1","model":"giga-potato-thinking","choices":[{"index":0,"delta":{"content":"Hi","reasoning_content":""},\
"finish_reason":"stop"}]}

data: {"id":"c1","model":"giga-potato-thinking","usage":{"prompt_tokens":10,"completion_tokens":2,"total_tokens":12},\
"choices":[]}

data: [DONE]

"""


def rewritten(*pieces: bytes) -> bytes:
    rewriter = StreamRewriter(DISGUISE)
    return b"".join([*map(rewriter.feed, pieces), rewriter.close()])


def cut(body: bytes, size: int) -> list[bytes]:
    return [body[at : at + size] for at in range(0, len(body), size)]


def data_of(events: list[bytes]) -> list[Any]:
    return [json.loads(data) for data in events if data != b"[DONE]"]


Shown = Callable[[bytes], bytes]


@pytest.fixture(params=["pure", "gateway"])
def shown(request: pytest.FixtureRequest) -> Shown:
    """What a client sees of an upstream's stream that ends cleanly."""
    if request.param == "pure":
        return rewritten
    world: World = request.getfixturevalue("world")
    return lambda body: world.ask(*stream(body, 11)).body


def delta_of(shown: Shown, delta: str) -> Any:
    event = b'data: {"id":"c","model":"m","choices":[{"index":0,"delta":%b,"finish_reason":"stop"}]}\n\n'
    found = shown(event % delta.encode() + DONE)
    assert found.endswith(b"\n\n" + DONE)
    return json.loads(found.removeprefix(b"data: ").removesuffix(DONE))["choices"][0]["delta"]


@pytest.mark.parametrize(
    "size", [pytest.param(size, id=f"response:V90-cut-{size}") for size in (1, 2, 3, 7, 64, 10_000)]
)
def test_a_stream_under_its_public_name(world: World, size: int) -> None:
    assert rewritten(*cut(T7, size)) == T7_SHOWN
    answer = world.ask(*stream(T7, size))
    assert (answer.status, answer.body, answer.whole) == (200, T7_SHOWN, True)


@pytest.mark.parametrize(
    "line_end",
    [pytest.param(b"\n", id="response:V90-at-every-byte"), pytest.param(b"\r\n", id="response:V90-at-every-byte-crlf")],
)
def test_one_cut_at_every_byte(world: World, line_end: bytes) -> None:
    """Guarantees S: decodes and bills the same."""
    body = T7.replace(b"\n", line_end)
    places = range(1, len(body))
    for at in places:
        world.upstream.say(STREAM_HEAD, chunk(body[:at]), chunk(body[at:]), LAST_CHUNK)
        asking = request(body_for(NAME), PATH.encode(), world.account.headers)
        answer = ask_raw(world.gateway, asking, source=f"127.0.0.{2 + at // 100}")  # each may ask for free so often
        assert (at, answer.body) == (at, T7_SHOWN)
    told = [(row.market_cost_microdollars, row.cost_microdollars, row.has_error) for row in world.rows()]
    assert told == [(100, 0, False)] * len(places)


@pytest.mark.parametrize(
    "line_end", [pytest.param(b"\r\n", id="response:V90-crlf"), pytest.param(b"\r", id="response:V90-cr")]
)
def test_other_line_ends_change_nothing(world: World, line_end: bytes) -> None:
    body = T7.replace(b"\n", line_end)
    assert rewritten(*cut(body, 1)) == T7_SHOWN
    assert world.ask(*stream(body, 5)).body == T7_SHOWN


@pytest.mark.parametrize("market_cost", [pytest.param(100, id="response:V91")])
def test_accounting_saw_what_the_upstream_sent(world: World, market_cost: int) -> None:
    world.ask(*stream(T7, 9))
    row = world.row()
    assert (row.market_cost_microdollars, row.cost_microdollars) == (market_cost, 0)


@pytest.mark.parametrize(
    ("delta", "expected"),
    [
        pytest.param(
            '{"reasoning_content":"a","reasoning":"b"}',
            {"reasoning": "b", "reasoning_details": [{"type": "reasoning.text", "text": "a"}]},
            id="response:V92",
        ),
        pytest.param(
            '{"reasoning_content":"a","reasoning_details":[{"type":"reasoning.text","text":"z"}]}',
            {"reasoning": "a", "reasoning_details": [{"type": "reasoning.text", "text": "z"}]},
            id="response:V93",
        ),
    ],
)
def test_reasoning(shown: Shown, delta: str, expected: dict[str, Any]) -> None:
    assert delta_of(shown, delta) == expected


ANSWER = (
    b'{"id":"x","model":"ep-2026","choices":[{"index":0,"message":{"role":"assistant","content":"4",'
    b'"reasoning_content":"2+2"},"finish_reason":"stop"}],"usage":{"prompt_tokens":5,"completion_tokens":1,'
    b'"total_tokens":6,"cost":0.00001,"is_byok":false}}'
)
ANSWER_SHOWN = (
    b'{"id":"x","model":"giga-potato-thinking","choices":[{"index":0,"message":{"role":"assistant","content":"4",'
    b'"reasoning":"2+2","reasoning_details":[{"type":"reasoning.text","text":"2+2"}]},"finish_reason":"stop"}],'
    b'"usage":{"prompt_tokens":5,"completion_tokens":1,"total_tokens":6}}'
)


@pytest.mark.parametrize("expected", [pytest.param(ANSWER_SHOWN, id="response:V94")])
def test_a_whole_answer(world: World, expected: bytes) -> None:
    assert json.loads(rewritten_answer(ANSWER, DISGUISE)) == json.loads(expected)
    answer = world.ask(whole(200, ANSWER), is_stream=False)
    assert (answer.status, answer.json) == (200, json.loads(expected))
    assert world.row().market_cost_microdollars == 10


@pytest.mark.parametrize(
    ("event", "expected"),
    [
        pytest.param('{"id":"c","choices":[]}', {"id": "c", "choices": []}, id="response:V95-absent"),
        pytest.param('{"model":"","choices":[]}', {"model": "", "choices": []}, id="response:V95-empty"),
    ],
)
def test_without_a_model(shown: Shown, event: str, expected: dict[str, Any]) -> None:
    found = shown(b"data: %b\n\n%b" % (event.encode(), DONE))
    assert data_of([line[6:] for line in found.split(b"\n") if line.startswith(b"data: ")]) == [expected]


@pytest.mark.parametrize("model", [pytest.param("corethink:free", id="response:V96")])
def test_a_refusal_is_no_stream(world: World, model: str) -> None:
    """With its status, and not swallowed; §14 lets no raw text of an operator-paid upstream pass."""
    answer = world.ask(whole(500, b"<h1>Broken</h1>", "text/html"), model=model)
    assert answer.status == 500
    assert b"[DONE]" not in answer.body
    assert answer.json["error"]["code"] == "upstream_error"
    assert b"Broken" not in answer.body


@pytest.mark.parametrize("size", [pytest.param(size, id=f"response:V97-cut-{size}") for size in (1, 10_000)])
def test_a_clean_end_without_its_own_done(world: World, size: int) -> None:
    body = T7.removesuffix(DONE)
    assert rewritten(*cut(body, size)) == rewritten(*cut(body[:-1], size)) == T7_SHOWN
    assert world.ask(*stream(body, size)).body == T7_SHOWN


@pytest.mark.parametrize(
    "end",
    [
        pytest.param((RESET,), id="response:V98-reset"),
        pytest.param((), id="response:V98-closed"),
        pytest.param((chunk(T7[:30]), RESET), id="response:V98-inside-an-event"),
    ],
)
def test_a_break_after_the_first_event(world: World, end: tuple[bytes | None, ...]) -> None:
    first = T7[: T7.index(b"\n\n") + 2]
    seen = Event()
    world.upstream.say(STREAM_HEAD, chunk(first), seen, *end)
    with Conversation(world.gateway) as conversation:
        conversation.ask(world.account, body_for(NAME), PATH)
        conversation.read_until(b'"reasoning_details"')
        seen.set()
        answer = conversation.read_answer()
    assert answer.body.startswith(T7_SHOWN[: T7_SHOWN.index(b"\n\n") + 2])
    assert not answer.is_done
    assert len(answer.errors) == 1
    assert json.loads(answer.data[-1])["choices"] == [{"index": 0, "delta": {}, "finish_reason": "error"}]
    assert b"ep-2026" not in answer.body
    assert world.row().has_error


@pytest.mark.parametrize("model", [pytest.param("a/b", id="response:V99")])
def test_what_is_paid_for_passes_as_it_is(world: World, model: str) -> None:
    assert world.ask(*stream(T7, 7), model=model).body == T7
    assert world.ask(whole(200, ANSWER), model=model, is_stream=False).body == ANSWER


@pytest.mark.parametrize("name", [pytest.param("reasoning_content", id="response:V100")])
def test_only_the_first_choice_is_touched(shown: Shown, name: str) -> None:
    choices = [{"index": at, "delta": {name: "a"}, "finish_reason": "stop"} for at in (0, 1)]
    found = shown(b"data: %b\n\n%b" % (json.dumps({"choices": choices}).encode(), DONE))
    first, second = json.loads(found.removeprefix(b"data: ").removesuffix(DONE))["choices"]
    assert name not in first["delta"]
    assert second == choices[1]


@pytest.mark.parametrize(
    "model", [pytest.param(NAME, id="response:V101"), pytest.param("a/b", id="response:V101-paid")]
)
def test_the_first_event_does_not_wait_for_the_second(world: World, model: str) -> None:
    first, rest = T7[: T7.index(b"\n\n") + 2], T7[T7.index(b"\n\n") + 2 :]
    seen = Event()
    world.upstream.say(STREAM_HEAD, chunk(first), seen, chunk(rest), LAST_CHUNK)
    with Conversation(world.gateway) as conversation:
        conversation.ask(world.account, body_for(model), PATH)
        conversation.read_until(b"Let me")
        seen.set()
        assert conversation.read_answer().is_done
