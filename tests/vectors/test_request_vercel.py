"""Vectors VT1 to VT20 of request-path: the whole run of rules for the second gateway, with the shipped preset."""

from typing import Any

import pytest

from tollway.providers.own_keys import read_own_key
from unit.providers.attempts import run


def _options(model: str, **more: Any) -> dict[str, Any]:
    sent = run({"model": model, "messages": [], **more}, "vercel").body
    assert "provider" not in sent
    options: dict[str, Any] = sent["providerOptions"]
    return options


@pytest.mark.parametrize(
    ("model", "sent"),
    [
        pytest.param("x-ai/grok-code-fast-1", "xai/grok-code-fast-1", id="request:VT1"),
        pytest.param("z-ai/glm-5", "zai/glm-5", id="request:VT2"),
        pytest.param("z-ai/glm-5:free", "zai/glm-5:free", id="request:VT3"),
        pytest.param("minimax/minimax-m2.5:free", "minimax/minimax-m2.5", id="request:VT4"),
        pytest.param("moonshotai/kimi-k2.5:free", "moonshotai/kimi-k2.5", id="request:VT5"),
        pytest.param("mistralai/codestral-2508", "mistral/codestral", id="request:VT6"),
        pytest.param("mistralai/mistral-large", "mistral/mistral-large", id="request:VT7"),
        pytest.param("openai/gpt-oss-120b", "openai/gpt-oss-120b", id="request:VT8"),
        pytest.param("qwen/qwen3-coder", "alibaba/qwen3-coder", id="request:VT9"),
        pytest.param("giga-potato", "giga-potato", id="request:VT10"),
    ],
)
def test_names_of_models(model: str, sent: str) -> None:
    assert run({"model": model}, "vercel").body["model"] == sent


@pytest.mark.parametrize(
    ("given", "sent"),
    [
        pytest.param(
            ["google-vertex/us-east5", "Z-AI", "DeepInfra/bf16", "amazon-bedrock", "google-ai-studio"],
            ["vertex", "zai", "deepinfra", "bedrock", "google"],
            id="request:VT11",
        )
    ],
)
def test_names_of_inference_providers(given: list[str], sent: list[str]) -> None:
    for name in ("only", "order"):
        assert _options("a/b", provider={name: given}) == {"gateway": {name: sent}}


@pytest.mark.parametrize("model", [pytest.param("anthropic/claude-sonnet-4.6", id="request:VT12")])
def test_betas(model: str) -> None:
    betas = "fine-grained-tool-streaming-2025-05-14,context-1m-2025-08-07"
    assert run({"model": model}, "vercel").headers == {"anthropic-beta": betas}


@pytest.mark.parametrize(
    ("model", "more", "gateway"),
    [
        pytest.param("x-ai/grok-code-fast-1", {}, {}, id="request:VT13"),
        pytest.param("z-ai/glm-5", {}, {"order": ["zai"]}, id="request:VT14"),
        pytest.param(
            "z-ai/glm-5",
            {"provider": {"only": ["Z-AI", "DeepInfra/bf16"], "zdr": True}},
            {"only": ["zai", "deepinfra"], "order": ["zai"], "zeroDataRetention": True},
            id="request:VT15",
        ),
    ],
)
def test_who_may_serve_it(model: str, more: dict[str, Any], gateway: dict[str, Any]) -> None:
    assert _options(model, **more) == {"gateway": gateway}


_AWS = {"accessKeyId": "A", "secretAccessKey": "S", "region": "us-east-1"}
_CODING_PLAN = "https://api.z.ai/api/coding/paas/v4"


@pytest.mark.parametrize(
    ("provider", "text", "served_by", "entries"),
    [
        pytest.param("anthropic", "sk-a", "anthropic", [{"apiKey": "sk-a"}], id="request:VT16"),
        pytest.param("codestral", "sk-c", "mistral", [{"apiKey": "sk-c"}], id="request:VT17"),
        pytest.param(
            "bedrock",
            '{"accessKeyId":"A","secretAccessKey":"S","region":"us-east-1"}',
            "bedrock",
            [_AWS],
            id="request:VT18",
        ),
        pytest.param(
            "zai",
            "sk-z",
            "zai",
            [{"apiKey": "sk-z", "baseURL": _CODING_PLAN}, {"apiKey": "sk-z"}],
            id="request:VT19",
        ),
    ],
)
def test_own_keys(provider: str, text: str, served_by: str, entries: list[dict[str, str]]) -> None:
    keys = (read_own_key(provider, text),)
    sent = run({"model": "z-ai/glm-5", "provider": {"only": ["x"]}}, "vercel", own_keys=keys).body
    assert sent["providerOptions"] == {"gateway": {"only": [served_by], "byok": {served_by: entries}}}
    assert "provider" not in sent


@pytest.mark.parametrize("verbosity", [pytest.param("high", id="request:VT20")])
def test_verbosity(verbosity: str) -> None:
    assert _options("a/b", verbosity=verbosity)["anthropic"] == {"effort": "high"}
    assert "anthropic" not in _options("a/b")
