"""Vectors of response-path §16.6: refusals of an upstream, its headers, attempts, and who may slow down whom."""

import gzip
import json
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from threading import Event
from time import monotonic
from typing import Any

import pytest
from msgspec.json import encode

from flow.accounts import Accounts
from flow.conversation import Answer, Conversation, ask, wait_for_end
from flow.programs import Gateway
from flow.test_streams import GROWTH_BYTES_MAX, memory_of
from tollway.catalog.classification import Classification
from tollway.errors import Problem
from tollway.gateway.reply import NO_FACTS, Reply
from tollway.gateway.upstream_refusal import refusal_of
from tollway.http.problems import problem_body
from tollway.storage.presets import load_preset
from tollway.wire.token_estimate import tokens_asked
from unit.gateway.fakes import candidate
from vectors.conftest import settings_for_scripts
from vectors.scripted import LAST_CHUNK, RESET, STREAM_HEAD, ScriptedUpstream, chunk, stream, whole
from vectors.world import PATH, World, body_for

KINDS = Classification(load_preset("kilo"))
UNAVAILABLE = {
    "error": "Service Unavailable",
    "message": "The service is temporarily unavailable. Please try again later.",
}
ACME = encode({"error": {"message": "Acme has no more of it", "code": "acme"}})
STEALTH = "Stealth model unable to process request"
DONE = b"data: [DONE]\n\n"
FINISH = b'data: {"id":"c","model":"m","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\n'


def twice(text: str) -> dict[str, str]:
    return {"error": text, "message": text}


def refused(
    status: int, model: str, sent: bytes = b"{}", is_byok: bool = False, body: bytes = ACME
) -> tuple[int, dict[str, Any]]:
    """Status and body on a drop-in prefix."""
    reply = Reply(candidate(), status, NO_FACTS, body=body, sent_body=sent)
    problem: Problem = refusal_of(reply, KINDS.kind_of(model), is_byok)
    return problem.http_status, json.loads(problem_body(problem, "r", historic=True))


@pytest.mark.parametrize("status", [pytest.param(402, id="response:V73")])
def test_the_operators_empty_account(world: World, status: int) -> None:
    answer = world.ask(whole(status, ACME), model="a/b")
    assert (answer.status, answer.json) == (503, UNAVAILABLE)
    row = world.row()  # it was written although the client saw another status
    assert (row.status_code, row.has_error, row.cost_microdollars) == (402, True, 0)
    assert wait_for_end(world.gateway, world.account)["code"] == "service_unavailable"


FUNDS = "[BYOK] Your API account has insufficient funds. Please check your billing details with your API provider."


@pytest.mark.parametrize(
    ("status", "text"),
    [
        pytest.param(402, FUNDS, id="response:V74"),
        pytest.param(
            401,
            "[BYOK] Your API key is invalid or has been revoked. Please check your API key configuration.",
            id="response:V75-401",
        ),
        pytest.param(
            403,
            "[BYOK] Your API key does not have permission to access this resource. "
            "Please check your API key permissions.",
            id="response:V75-403",
        ),
        pytest.param(
            429,
            "[BYOK] Your API key has hit its rate limit. "
            "Please try again later or check your rate limit settings with your API provider.",
            id="response:V75-429",
        ),
    ],
)
def test_a_callers_own_key(world: World, status: int, text: str) -> None:
    assert refused(status, "a/b", is_byok=True) == (status, twice(text))
    world.register_endpoint("mine")
    answer = world.ask(whole(status, ACME), model="mine/m")
    assert (answer.status, answer.json) == (status, twice(text))
    row = world.row()
    assert (row.status_code, row.cost_microdollars) == (status, 0)


@pytest.mark.parametrize("status", [pytest.param(400, id="response:V76-400"), pytest.param(500, id="response:V76-500")])
def test_what_else_an_own_upstream_says(world: World, status: int) -> None:
    world.register_endpoint("mine")
    answer = world.ask(whole(status, b"<b>Acme</b>", "text/html"), model="mine/m")
    assert (answer.status, answer.body, answer.headers["content-type"]) == (status, b"<b>Acme</b>", "text/html")


@pytest.mark.parametrize("model", [pytest.param("giga-potato", id="response:V77")])
def test_the_key_is_spoken_of_first(model: str) -> None:
    status, body = refused(429, model, b'{"max_tokens":256000}', is_byok=True)
    assert status == 429
    assert body["error"].startswith("[BYOK] Your API key has hit its rate limit.")


def _short(model: str, more: str) -> bytes:
    return f'{{"model":"{model}","messages":[{{"role":"user","content":"hi"}}],{more}}}'.encode()


_USAGE = '"stream_options":{"include_usage":true}'
_LONG = b'{"model":"corethink","messages":[{"role":"user","content":"' + 320_000 * b"a" + b'"}],%b}' % _USAGE.encode()
_SMILES = b'{"model":"corethink","messages":[{"role":"user","content":"' + 10 * "\U0001f600".encode() + b'"}]}'


@pytest.mark.parametrize(
    ("model", "sent", "length", "tokens", "is_too_long"),
    [
        pytest.param(
            "minimax/minimax-m2.5:free",
            _short("minimax/minimax-m2.5", f'"max_tokens":204800,{_USAGE}'),
            136,
            204_834,
            True,
            id="response:V78",
        ),
        pytest.param(
            "minimax/minimax-m2.5:free",
            _short("minimax/minimax-m2.5", f'"max_tokens":1000,{_USAGE}'),
            134,
            1_034,
            False,
            id="response:V79",
        ),
        pytest.param("corethink:free", _LONG, 320_103, 80_026, True, id="response:V80"),
        pytest.param("corethink:free", _SMILES, 83, 21, False, id="response:V81"),
        pytest.param(
            "corethink:free",
            _short("corethink", '"max_tokens":9000000,"max_completion_tokens":0'),
            112,
            28,
            False,
            id="response:V82",
        ),
        pytest.param(
            "giga-potato", _short("giga-potato", f'"max_tokens":256000,{_USAGE}'), 127, 256_032, True, id="response:V84"
        ),
    ],
)
def test_how_much_was_asked_for(model: str, sent: bytes, length: int, tokens: int, is_too_long: bool) -> None:
    assert len(sent.decode().encode("utf-16-le")) == 2 * length
    assert tokens_asked(sent) == tokens
    status, body = refused(400, model, sent)
    assert status == 400
    entry = KINDS.kind_of(model).entry
    assert entry
    text = (
        f"The maximum context length is {entry.context_length} tokens. However, about {tokens} tokens were requested."
    )
    assert (body == twice(text)) == is_too_long
    assert is_too_long or body["error"]["message"] == "Acme has no more of it"


@pytest.mark.parametrize("words", [pytest.param(320_000, id="response:V80-gateway")])
def test_a_long_prompt_in_the_running_gateway(world: World, words: int) -> None:
    world.upstream.say(whole(400, ACME))
    body = {"model": "corethink:free", "messages": [{"role": "user", "content": "a" * words}]}
    answer = ask(world.gateway, world.account, body, PATH)
    assert answer.status == 400
    assert answer.json["error"] == answer.json["message"]
    assert answer.json["error"].startswith("The maximum context length is 78000 tokens. However, about 800")


@pytest.mark.parametrize(
    "is_stream", [pytest.param(True, id="response:V83"), pytest.param(False, id="response:V83-whole")]
)
def test_a_hidden_upstream(world: World, is_stream: bool) -> None:
    assert refused(500, "giga-potato") == (500, twice(STEALTH))
    answer = world.ask(whole(500, ACME, "text/x-acme", "X-Acme: 1"), model="giga-potato", is_stream=is_stream)
    assert (answer.status, answer.json) == (500, twice(STEALTH))
    assert "acme" not in f"{answer.headers} {answer.body!r}".lower()


ANSWER = encode(
    {"id": "c", "model": "m", "choices": [{"message": {"content": "hi"}, "finish_reason": "stop"}], "usage": None}
)
DATE = "Thu, 26 Nov 2026 12:00:00 GMT"
LINES = (
    f"Date: {DATE}",
    "Request-Id: up-1",
    "Content-Encoding: gzip",
    "Set-Cookie: a=b",
    "X-RateLimit-Remaining: 7",
    "Server: acme",
)
SHOWN = {"content-type": "application/json", "content-encoding": "identity", "date": DATE, "request-id": "up-1"}
OURS = {"x-request-id", "x-content-type-options", "cache-control", "content-length", "transfer-encoding"}


@pytest.mark.parametrize(
    "kind", [pytest.param("whole", id="response:V85"), pytest.param("stream", id="response:V85-stream")]
)
def test_which_headers_are_passed_on(world: World, kind: str) -> None:
    if kind == "whole":
        answer = world.ask(whole(200, gzip.compress(ANSWER), "application/json", *LINES), model="a/b", is_stream=False)
        assert answer.body == ANSWER
    else:
        head = whole(200, b"", "text/event-stream", *LINES).replace(b"Content-Length: 0\r\n", b"")
        answer = world.ask(head, gzip.compress(FINISH + DONE), model="a/b")
        assert answer.body == FINISH + DONE
    shown = {**SHOWN, "content-type": "application/json" if kind == "whole" else "text/event-stream"}
    ours = {name for name in answer.headers if name in OURS or name.startswith("x-tollway-")}
    assert {name: value for name, value in answer.headers.items() if name not in ours} == shown


@pytest.mark.parametrize("status", [pytest.param(418, id="response:V86")])
def test_any_other_refusal(world: World, status: int) -> None:
    """Its status passes, and 4,096 characters of its text go to the log; §14 lets no raw text pass to the client."""
    answer = world.ask(whole(status, b"short and stout " * 1_000, "text/plain"), model="a/b")
    assert answer.status == status
    assert answer.json["error"]["code"] == "upstream_error"
    while True:
        line = json.loads('{"event":"upstream_refused"' + world.gateway.wait_for('{"event":"upstream_refused"'))
        if line["request_id"] == answer.request_id:
            break
    assert (line["level"], line["status"], line["user"]) == ("warning", status, world.account.user_id)
    assert line["detail"] == ("short and stout " * 1_000)[:4_096]
    assert line["message"] == "openrouter returned error 418"


@pytest.fixture
def refusing(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Gateway]:
    """Its upstream's port is closed."""
    settings = settings_for_scripts(tmp_path, "http://127.0.0.1:9", f"retries.count_max = {request.param}")
    program = Gateway(tmp_path, settings)
    yield program
    assert program.stop() == 0


@pytest.mark.parametrize(
    ("refusing", "attempts"),
    [pytest.param(2, 3, id="response:V87"), pytest.param(0, 1, id="response:V87-retries-off")],
    indirect=["refusing"],
)
def test_nobody_answers(refusing: Gateway, attempts: int) -> None:
    account = Accounts(refusing.config).create()
    answer = ask(refusing, account, body_for("a/b"), PATH)
    assert (answer.status, answer.json) == (
        502,
        {
            "error": "Bad Gateway",
            "message": "The upstream provider could not be reached. Please try again later.",
        },
    )
    assert wait_for_end(refusing, account)["attempts"] == ["openrouter:connect"] * attempts


@pytest.fixture(scope="module")
def eager(tmp_path_factory: pytest.TempPathFactory, scripted: ScriptedUpstream) -> Iterator[Gateway]:
    """Tries again, as it does by default."""
    folder: Path = tmp_path_factory.mktemp("eager")
    program = Gateway(folder, settings_for_scripts(folder, scripted.url))
    yield program
    assert program.stop() == 0


@pytest.mark.parametrize(
    "pieces",
    [
        *(pytest.param((whole(status, ACME),), id=f"response:V87a-{status}") for status in (401, 402, 403, 404, 422)),
        pytest.param((STREAM_HEAD, chunk(FINISH.replace(b'"stop"', b"null")), RESET), id="response:V87a-break"),
    ],
)
def test_what_is_tried_once(eager: Gateway, scripted: ScriptedUpstream, pieces: tuple[bytes | None, ...]) -> None:
    account, before = Accounts(eager.config).create(), scripted.asked
    scripted.say(*pieces)
    answer: Answer = ask(eager, account, body_for("a/b"), PATH)
    assert answer.status >= 400 or len(answer.errors) == 1
    assert scripted.asked == before + 1


@pytest.mark.parametrize("model", [pytest.param("giga-potato", id="response:V87a-break-rewritten")])
def test_a_rewritten_answer_that_breaks_is_tried_once(eager: Gateway, scripted: ScriptedUpstream, model: str) -> None:
    account, before = Accounts(eager.config).create(), scripted.asked
    scripted.say(STREAM_HEAD, chunk(FINISH.replace(b'"stop"', b"null")), RESET)
    answer = ask(eager, account, body_for(model), PATH)
    assert (answer.status, len(answer.errors), answer.is_done) == (200, 1, False)
    assert scripted.asked == before + 1


EVENT = b'data: {"id":"c","model":"m","choices":[{"index":0,"delta":{"content":"%b"}}]}\n\n' % (b"x" * 4_000)
EVENTS = 10_000
USAGE = (
    b'data: {"id":"c","model":"m","choices":[],"usage":{"prompt_tokens":3,"completion_tokens":%d,"cost":0.01}}\n\n'
    % EVENTS
)


@pytest.mark.parametrize(
    "model", [pytest.param("a/b", id="response:V88"), pytest.param("giga-potato", id="response:V88-rewritten")]
)
def test_a_slow_client_slows_its_upstream_down(world: World, model: str) -> None:
    before, memory = world.upstream.said_bytes, memory_of(world.gateway)
    pieces = [STREAM_HEAD, *[chunk(EVENT)] * EVENTS, chunk(FINISH + USAGE + DONE), LAST_CHUNK]
    world.upstream.say_all(pieces)
    with Conversation(world.gateway, receive_bytes=4_096) as conversation:
        conversation.ask(world.account, body_for(model), PATH)
        conversation.read_until(b"data: ", 3)
        said = -1
        while said != world.upstream.said_bytes:  # until it stands still
            said = world.upstream.said_bytes
            world.accounts.create()  # which takes a while
        assert said - before < len(EVENT) * EVENTS / 2
        assert memory_of(world.gateway) - memory < GROWTH_BYTES_MAX
        answer = conversation.read_answer()
    assert answer.is_done
    assert answer.body.count(b"xxxx") >= EVENTS
    row = world.row()
    assert (row.completion_tokens, row.has_error) == (EVENTS, False)


@pytest.mark.parametrize("pause", [pytest.param(5, id="response:V89")])
def test_a_database_that_stalls_is_not_noticed(world: World, pause: int) -> None:
    world.ask(*stream(FINISH + DONE), model="a/b")
    world.row()
    steps = [Event() for _ in range(5)]
    pieces: list[bytes | Event | None] = [STREAM_HEAD]
    for step in steps:
        pieces += [step, chunk(FINISH.replace(b'"stop"', b"null"))]
    world.upstream.say(*pieces, chunk(FINISH + USAGE + DONE), LAST_CHUNK)
    database = sqlite3.connect(world.gateway.folder / "tollway.db", isolation_level=None)
    database.execute("BEGIN IMMEDIATE")  # nobody else can write
    begun = monotonic()
    with Conversation(world.gateway) as conversation:
        conversation.ask(world.account, body_for("a/b"), PATH)
        for count, step in enumerate(steps, 1):
            step.set()
            conversation.read_until(b'"finish_reason":null', count)
        answer = conversation.read_answer()
    assert answer.is_done
    assert monotonic() - begun < pause / 2
    database.execute("ROLLBACK")
    database.close()
    assert world.accounts.balance(world.account) == 10_000_000 - 10_000
