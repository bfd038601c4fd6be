"""Vectors of response-path §16.11 about records of requests: what is in one, what is stored, and who may send them."""

import asyncio
import json
from typing import Any

import pytest
from msgspec.json import encode

from contract.observed import MODEL, measured, metric
from tollway.catalog.preset import Preset
from tollway.gateway.api_metric import metric_of
from tollway.gateway.context import Contexts
from tollway.gateway.facts import facts_of_stream
from tollway.gateway.reply import Reply
from tollway.gateway.stages import prepare_request, read_context, resolve_model
from tollway.http.observation import INGEST, Observation
from tollway.observability.api_metrics import ApiMetric, encode_metric
from tollway.routing.auto_model import auto_models
from tollway.storage.presets import load_preset
from tollway.storage.sql.api_metrics import row_of
from tollway.wire.answer import Answer
from tollway.wire.chat import parse_chat
from tollway.wire.scan import StreamScanner
from unit.gateway.fakes import CALLER, candidate, exchange, services
from unit.http.test_observation import TOKEN, ask

KILO = load_preset("kilo")
T1 = b"""\
data: {"id":"gen-1","provider":"OpenAI","model":"openai/gpt-4.1","choices":[{"index":0,"delta":{"role":"assistant","content":"Hel"},"finish_reason":null}]}

data: {"id":"gen-1","provider":"OpenAI","model":"openai/gpt-4.1","choices":[{"index":0,"delta":{"content":"lo"},"finish_reason":"stop"}]}

data: {"id":"gen-1","provider":"OpenAI","model":"openai/gpt-4.1","choices":[],"usage":{"prompt_tokens":14108,"completion_tokens":79,"total_tokens":14187,"cost":0.008304,"is_byok":false,"prompt_tokens_details":{"cached_tokens":13696}}}

data: [DONE]

"""  # noqa: E501
T4 = b"""\
data: {"id":"g","model":"m","choices":[{"delta":{"provider_metadata":{"gateway":{"routing":{"finalProvider":"bedrock"}}}},"finish_reason":"length"}]}

data: {"choices":[],"usage":{"prompt_tokens":1,"completion_tokens":2,"cost":0.0018,"is_byok":true,"cost_details":{"upstream_inference_cost":0.036}}}

"""  # noqa: E501


def record(
    body: dict[str, Any], headers: dict[bytes, bytes] | None = None, reply: Reply | None = None, preset: Preset = KILO
) -> ApiMetric:
    """Of a request that went through the stages that matter."""
    everything, one = services(preset=preset, contexts=Contexts(preset)), exchange(encode(body), headers)
    one.asked = parse_chat(one.inbound.body)
    one.context = read_context.run(one, everything)
    one.request = resolve_model.run(one, everything)
    one.caller, one.provider_config = CALLER, None
    one.prepared = prepare_request.run(one, everything)
    one.reply = reply or Reply(candidate(), 200, Answer())
    made = metric_of(one, one.started + 0.123)
    assert made is not None
    return made


def call(name: str, id_: str) -> list[dict[str, Any]]:
    return [
        {"role": "assistant", "tool_calls": [{"id": id_, "type": "function", "function": {"name": name}}]},
        {"role": "tool", "tool_call_id": id_, "content": "done"},
    ]


@pytest.mark.parametrize(
    ("tools", "names"),
    [
        pytest.param(
            [
                {"type": "function", "function": {"name": " read "}},
                {"type": "function", "function": {"name": ""}},
                {"type": "custom", "custom": {"name": "x"}},
                {"type": "web"},
            ],
            ("function:read", "function:unknown", "custom:x", "unknown:unknown"),
            id="response:V177",
        )
    ],
)
def test_tools_that_are_offered(tools: list[Any], names: tuple[str, ...]) -> None:
    assert record({"model": "a/b", "messages": [], "tools": tools}).tools_available == names


@pytest.mark.parametrize(
    ("messages", "names"),
    [pytest.param([*call("read", "1"), *call("read", "2")], ("function:read", "function:read"), id="response:V178")],
)
def test_tools_that_were_used(messages: list[Any], names: tuple[str, ...]) -> None:
    made = record({"model": "a/b", "messages": messages})
    assert (made.tools_used, made.tools_available) == (names, ())


@pytest.mark.parametrize(
    ("header", "expected"),
    [pytest.param(b"  ", None, id="response:V179"), pytest.param(b" plan ", "plan", id="V179-plan")],
)
def test_an_empty_mode_is_absent(header: bytes, expected: str | None) -> None:
    sent = json.loads(encode_metric(record({"model": "a/b", "messages": []}, {b"x-kilocode-mode": header})))
    assert sent.get("mode") == expected
    assert ("mode" in sent) is (expected is not None)


@pytest.mark.parametrize("model", [pytest.param("Kilo/Auto", id="response:V180")])
def test_the_names_of_the_model(model: str) -> None:
    entry = auto_models(KILO.auto_models)["kilo/auto"]
    from_beta = {**entry.modes, "chat": type(entry.default)("anthropic/claude-sonnet-4.5:beta")}
    preset = Preset(auto_models=(type(entry)("kilo/auto", default=from_beta["chat"]),))
    made = record({"model": model, "messages": []}, preset=preset)
    assert (made.requested_model, made.resolved_model) == ("kilo/auto", "anthropic/claude-sonnet-4.5")


@pytest.mark.parametrize(
    ("transcript", "provider"),
    [pytest.param(T1, "OpenAI", id="response:V181"), pytest.param(T4, "bedrock", id="response:V182")],
)
def test_who_served_it(transcript: bytes, provider: str) -> None:
    scanner = StreamScanner()
    scanner.feed(transcript)
    reply = Reply(candidate(), 200, facts_of_stream(scanner), streamed=True)
    assert record({"model": "a/b", "messages": []}, reply=reply).inference_provider == provider


@pytest.mark.parametrize(
    ("status", "is_error"), [pytest.param(200, "0", id="response:V183"), pytest.param(429, "1", id="response:V184")]
)
def test_what_is_stored(status: int, is_error: str) -> None:
    """The page's data point, from the row that takes its place."""
    row = row_of(measured(metric(status, inference_provider="openai")), KILO.metrics_client_name)
    blobs = [
        row["provider"],
        row["resolved_model"],
        row["client_name"],
        str(int(row["is_error"])),
        row["inference_provider"],
        str(int(row["user_byok"])),
    ]
    assert row["resolved_model"] == MODEL
    assert blobs == ["openai", MODEL, "kilo-gateway", is_error, "openai", "0"]
    assert [row["ttfb_ms"], row["complete_request_ms"], row["status_code"]] == [45, 123, status]


SENT = json.loads(encode_metric(metric(inference_provider="openai")))


@pytest.mark.parametrize(
    ("token", "changes", "status", "path"),
    [
        pytest.param(None, {"ttfbMs": -1}, 401, None, id="response:V185-token"),
        pytest.param(TOKEN, {"ttfbMs": -1}, 400, "ttfbMs", id="response:V185-ttfb"),
        pytest.param(TOKEN, {"statusCode": 600}, 400, "statusCode", id="response:V185-status"),
        pytest.param(TOKEN, {"mode": ""}, 400, "mode", id="response:V185-mode"),
        pytest.param(TOKEN, {"clientSecret": "s", "unheardOf": {}}, 204, None, id="response:V186"),
    ],
)
def test_who_may_send_what(token: bytes | None, changes: dict[str, Any], status: int, path: str | None) -> None:
    kept: list[ApiMetric] = []
    routes = Observation(TOKEN, lambda one: not kept.append(one), None, None)
    answered, body = asyncio.run(ask(routes, "POST", INGEST, json.dumps({**SENT, **changes}).encode(), token))
    assert answered == status
    if status == 401:
        assert body == b'{"success":false,"error":"Unauthorized"}'
    elif status == 400:
        told = json.loads(body)
        assert (told["success"], told["error"]) == (False, "Invalid request body")
        assert [issue["path"] for issue in told["issues"]] == [[path]]
        assert told["issues"][0]["message"]
    else:
        assert (body, kept) == (b"", [metric(inference_provider="openai")])
