"""Vectors PT1 to PT18 of request-path: on the functions, and what is about bytes through the running program."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from msgspec.structs import replace

from flow.accounts import Account, Accounts
from flow.programs import Gateway
from flow.raw import ask, request
from tollway.ids import is_uuid
from unit.providers.attempts import KILO, run
from vectors.conftest import settings_for_vectors
from vectors.upstream import Sent, Upstream

USER = {"role": "user", "content": "hi"}
COMPLETION = [{"type": "function", "function": {"name": "attempt_completion", "parameters": {}}}]
IDENTITY = {"prompt_cache_key": "pck", "safety_identifier": "H", "user": "H"}
PATH = b"/api/openrouter/chat/completions"


def _body(model: str, **more: Any) -> dict[str, Any]:
    return {"model": model, "messages": [USER], **more}


@pytest.mark.parametrize("model", [pytest.param("minimax/minimax-m2.5:free", id="request:PT1")])
def test_a_hosted_model_at_the_default_gateway(model: str) -> None:
    sent = run(_body(model)).body
    assert (sent["model"], sent["provider"]) == ("minimax/minimax-m2.5", {"order": ["minimax"]})


@pytest.mark.parametrize("model", [pytest.param("corethink:free", id="request:PT2")])
def test_a_hosted_model_at_a_gateway_of_its_own(model: str) -> None:
    said = {"role": "assistant", "content": "x", "reasoning": "because", "reasoning_details": [{}]}
    more = {"transforms": ["middle-out"], "description": "d", "usage": {"include": True}, "stream_options": {"a": 1}}
    sent = run(_body(model, provider={"order": ["x"]}, **IDENTITY, **more) | {"messages": [USER, said]}, "corethink")
    assert sent.body == {
        "model": "corethink",
        "messages": [USER, {"role": "assistant", "content": "x"}],
        "provider": {"only": ["corethink"]},
        "user": "H",
        "stream_options": {"a": 1},
    }


@pytest.mark.parametrize(
    "thinking",
    [pytest.param({"giga-potato": "disabled", "giga-potato-thinking": "enabled"}, id="request:PT3")],
)
def test_whether_to_think(thinking: dict[str, str]) -> None:
    for model, expected in thinking.items():
        sent = run(_body(model), "gigapotato").body
        assert (sent["model"], sent["thinking"]) == ("ep-20260109111813-hztxv", {"type": expected})
        assert sent["messages"] == [USER]  # no text is shipped


_N = {"type": "text", "text": "N"}


@pytest.mark.parametrize(
    "cases",
    [
        pytest.param(
            [
                ([{"role": "system", "content": "s"}, USER], [{"type": "text", "text": "s"}, _N]),
                ([{"role": "system", "content": []}, USER], [_N]),
                ([USER], [_N]),
            ],
            id="request:PT4",
        )
    ],
)
def test_the_system_addition(cases: list[tuple[list[Any], list[Any]]]) -> None:
    hosted = tuple(replace(one, system_addition="N") for one in KILO.hosted_models)
    preset = replace(KILO, hosted_models=hosted)
    for messages, content in cases:
        sent = run({"model": "giga-potato", "messages": messages}, "gigapotato", preset=preset).body
        assert sent["messages"] == [{"role": "system", "content": content}, USER]


@pytest.mark.parametrize(
    ("models", "choice"),
    [
        pytest.param(
            [
                ("x-ai/grok-4", None),
                ("openai/gpt-5.2", None),
                ("google/gemini-3.1-pro-preview", None),
                ("anthropic/claude-haiku-4.5", {"effort": "none"}),
            ],
            "required",
            id="request:PT5",
        ),
        pytest.param(
            [
                ("openai/gpt-oss-120b", None),
                ("anthropic/claude-sonnet-4.6", None),
                ("anthropic/claude-haiku-4.5", {"max_tokens": 1}),
            ],
            "auto",
            id="request:PT6",
        ),
    ],
)
def test_tool_choice(models: list[tuple[str, dict[str, Any] | None]], choice: str) -> None:
    for model, reasoning in models:
        given = {"tools": COMPLETION, "tool_choice": "auto"} | ({"reasoning": reasoning} if reasoning else {})
        assert run(_body(model, **given)).body["tool_choice"] == choice
        del given["tool_choice"]
        assert ("tool_choice" in run(_body(model, **given)).body) is (choice == "required")


@pytest.mark.parametrize(
    ("given", "sent"),
    [
        pytest.param(None, {"order": ["amazon-bedrock", "anthropic"]}, id="request:PT7"),
        pytest.param(
            {"only": ["anthropic"]},
            {"only": ["anthropic"], "order": ["amazon-bedrock", "anthropic"]},
            id="request:PT8",
        ),
        pytest.param({"order": ["anthropic"]}, {"order": ["anthropic"]}, id="request:PT9"),
    ],
)
def test_preferred_providers(given: dict[str, Any] | None, sent: dict[str, Any]) -> None:
    body = _body("anthropic/claude-sonnet-4.6") | ({"provider": given} if given else {})
    assert run(body).body["provider"] == sent


@pytest.mark.parametrize("model", [pytest.param("anthropic/claude-sonnet-4.6", id="request:PT10")])
def test_tool_calls_are_streamed(model: str) -> None:
    assert run(_body(model)).headers == {"x-anthropic-beta": "fine-grained-tool-streaming-2025-05-14"}


@pytest.mark.parametrize("model", [pytest.param("x-ai/grok-4", id="request:PT11")])
def test_a_conversation_is_named(model: str) -> None:
    fresh = str(UUID(int=1))
    assert run(_body(model, prompt_cache_key="pck")).headers == {"x-grok-conv-id": "pck", "x-grok-req-id": fresh}


@pytest.mark.parametrize("model", [pytest.param("moonshotai/kimi-k2.5:free", id="request:PT12")])
def test_temperature_is_left_to_the_host(model: str) -> None:
    assert "temperature" not in run(_body(model, temperature=0.7)).body


@pytest.mark.parametrize("cases", [pytest.param({50_000: 32_768, 32_768: 32_768, 0: 0}, id="request:PT13")])
def test_completions_are_capped(cases: dict[int, int]) -> None:
    for name in ("max_tokens", "max_completion_tokens"):
        for asked, sent in cases.items():
            assert run(_body("qwen/qwen3-coder", **{name: asked})).body[name] == sent
        assert name not in run(_body("qwen/qwen3-coder")).body


@pytest.mark.parametrize(
    "cases",
    [pytest.param([({}, 0.2), ({"temperature": None}, None), ({"temperature": 0}, 0)], id="request:PT14")],
)
def test_a_temperature_of_their_own(cases: list[tuple[dict[str, Any], float | None]]) -> None:
    for given, sent in cases:
        assert run(_body("mistralai/mistral-large", **given)).body["temperature"] == sent


@pytest.mark.parametrize(
    "tool", [pytest.param({"type": "function", "function": {"name": "f", "strict": True}}, id="request:PT15")]
)
def test_strictness_is_left_out(tool: dict[str, Any]) -> None:
    sent = run(_body("mistralai/mistral-large", tools=[tool])).body
    assert sent["tools"] == [{"type": "function", "function": {"name": "f"}}]


@pytest.mark.parametrize(
    "ranges",
    [pytest.param({"type": ["array", "null"], "items": {"type": "array"}, "description": "d"}, id="request:PT16")],
)
def test_line_ranges(ranges: dict[str, Any]) -> None:
    def tools(schema: dict[str, Any]) -> list[dict[str, Any]]:
        files = {"type": "array", "items": {"type": "object", "properties": {"path": {}, "line_ranges": schema}}}
        parameters = {"type": "object", "properties": {"files": files}}
        return [{"type": "function", "function": {"name": "read_file", "parameters": parameters}}]

    body = _body("google/gemini-3.1-pro-preview", tools=tools(ranges))
    plain = {"description": "d", "anyOf": [{"type": "null"}, {"type": "array", "items": {"type": "array"}}]}
    assert run(body, "vercel").body["tools"] == tools(plain)
    assert run(body, "openrouter").body["tools"] == tools(ranges)


@pytest.mark.parametrize(
    "models", [pytest.param(["mistralai/codestral-2508", "a/b", "anthropic/claude-haiku-4.5"], id="request:PT17")]
)
def test_at_mistral_itself(models: list[str]) -> None:
    gone = {"reasoning": {}, "reasoning_effort": "low", "transforms": [], "provider": {"order": ["x"]}, **IDENTITY}
    said = {"role": "assistant", "content": "x", "reasoning_details": [{}]}
    for model in models:
        sent = run({"model": model, "messages": [said], **gone}, "mistral")
        assert sent.body["messages"] == [{"role": "assistant", "content": "x"}]
        assert set(sent.body) == {"model", "messages", "temperature"}
        assert sent.headers["x-affinity"] == "pck"


# through the program


_SERVED = {
    "anthropic/claude-haiku-4.5": "openrouter",
    "mistralai/mistral-large": "openrouter",
    "z-ai/glm-5": "vercel",
    "x-ai/grok-4": "plain",
    "a/keyless": "fastrouter",
}
_MODEL = """
[[models]]
id = "{id}"
provider = "{provider}"
prompt_usd_per_million = "3"
completion_usd_per_million = "15"
"""


@pytest.fixture(scope="module")
def kilo(tmp_path_factory: pytest.TempPathFactory, upstream: Upstream) -> Iterator[Gateway]:
    """With the shipped preset: some models at the default gateway, one at the second, one at a plain server."""
    folder: Path = tmp_path_factory.mktemp("kilo")
    models = "".join(_MODEL.replace("{id}", id_).replace("{provider}", name) for id_, name in _SERVED.items())
    settings = settings_for_vectors(folder, upstream) + models
    settings = f"""preset = "kilo"
{settings}
[providers.vercel]
base_url = "{upstream.url}/v1"
api_key = "sk-v-not-a-real-key"

[providers.fastrouter]
base_url = "{upstream.url}/f"

[providers.plain]
kind = "compatible"
base_url = "{upstream.url}/plain"
"""
    program = Gateway(folder, settings)
    yield program
    assert program.stop() == 0


@pytest.fixture(scope="module")
def account(kilo: Gateway) -> Account:
    return Accounts(kilo.config).create()


def _sent(kilo: Gateway, account: Account, upstream: Upstream, body: dict[str, Any], **headers: str) -> Sent:
    assert ask(kilo, request(body, PATH, {**account.headers, **headers})).status == 200
    return upstream.next()


_ALWAYS = {"host", "content-type", "accept", "accept-encoding", "user-agent", "x-request-id", "content-length"}


@pytest.mark.parametrize("title", [pytest.param("Kilo Code", id="request:PT18")])
def test_headers_that_are_sent(kilo: Gateway, account: Account, upstream: Upstream, title: str) -> None:
    theirs = {"X-Title": "Mine", "HTTP-Referer": "https://mine.example", "X-Mine": "1", "x-anthropic-beta": "mine"}
    plain = _sent(kilo, account, upstream, _body("a/b"), **theirs, Cookie="a=b").headers
    assert set(plain) == _ALWAYS | {"http-referer", "x-title", "authorization"}
    assert plain["authorization"] == "Bearer sk-or-not-a-real-key"
    assert (plain["http-referer"], plain["x-title"]) == ("https://kilocode.ai", title)
    assert plain["content-type"] == "application/json"
    extra = _sent(kilo, account, upstream, _body("anthropic/claude-haiku-4.5"), **theirs).headers
    assert set(extra) == set(plain) | {"x-anthropic-beta"}
    assert extra["x-anthropic-beta"] == "fine-grained-tool-streaming-2025-05-14"


@pytest.mark.parametrize("model", [pytest.param("x-ai/grok-4", id="request:PT11")])
def test_every_request_has_a_fresh_id(kilo: Gateway, account: Account, upstream: Upstream, model: str) -> None:
    body = _body(model, prompt_cache_key="pck", tools=COMPLETION)
    first, second = (_sent(kilo, account, upstream, body) for _ in range(2))
    assert first.headers["x-grok-conv-id"] == second.headers["x-grok-conv-id"] == "pck"
    ids = first.headers["x-grok-req-id"], second.headers["x-grok-req-id"]
    assert is_uuid(ids[0])
    assert is_uuid(ids[1])
    assert ids[0] != ids[1]
    assert first.body["tool_choice"] == "required"
    assert set(first.headers) == _ALWAYS | {"x-grok-conv-id", "x-grok-req-id"}  # a plain server learns no title
    forged = _sent(kilo, account, upstream, _body(model, prompt_cache_key="a\r\nX-Evil: 1")).headers
    assert is_uuid(forged["x-grok-conv-id"])
    assert "x-evil" not in forged


@pytest.mark.parametrize("model", [pytest.param("mistralai/mistral-large", id="request:PT14")])
def test_what_a_family_changes(kilo: Gateway, account: Account, upstream: Upstream, model: str) -> None:
    sent = _sent(kilo, account, upstream, _body(model)).body
    assert (sent["temperature"], sent["provider"]) == (0.2, {"order": ["mistral"]})
    assert _sent(kilo, account, upstream, _body(model, temperature=0)).body["temperature"] == 0


@pytest.mark.parametrize("model", [pytest.param("z-ai/glm-5", id="request:VT14")])
def test_the_second_gateway(kilo: Gateway, account: Account, upstream: Upstream, model: str) -> None:
    sent = _sent(kilo, account, upstream, _body(model))
    assert sent.target == "/v1/chat/completions"
    assert sent.headers["authorization"] == "Bearer sk-v-not-a-real-key"
    assert sent.body["model"] == "zai/glm-5"
    assert sent.body["providerOptions"] == {"gateway": {"order": ["zai"]}}
    assert "provider" not in sent.body


def test_a_provider_without_a_key_is_never_called(kilo: Gateway, account: Account, upstream: Upstream) -> None:
    """request-path 8.6.3: nobody but the operator learns who it is."""
    answer = ask(kilo, request(_body("a/keyless"), PATH, account.headers))
    text = "The service is temporarily unavailable. Please try again later."
    assert (answer.status, answer.json) == (503, {"error": "Service Unavailable", "message": text})
    assert upstream.is_untouched
    line = kilo.wait_for('{"event":"request"')
    while "no key or address is configured for fastrouter" not in line:
        line = kilo.wait_for('{"event":"request"')
    assert any('"event":"provider_unavailable"' in one.replace(": ", ":") for one in kilo.lines)
