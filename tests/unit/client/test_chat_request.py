"""Bodies of chat requests, by dialect and by what the user says of a model."""

import json
from typing import Any

import pytest

from tollway.catalog.client_model import ClientModel, Limit
from tollway.client.chat_request import ChatRequests
from tollway.client.errors import ClientError
from unit.client.fakes import gateways

MESSAGES = [{"role": "user", "content": "hi"}]


def body(
    provider: str = "fastrouter", *, variant: str = "", tools: Any = (), is_small: bool = False, **model: Any
) -> dict[str, Any]:
    made = ChatRequests(
        gateways()[provider],
        ClientModel(**{"id": "a/b", "name": "A", **model}),
        "ses_1",
        lambda: "uuid",
        tools=tools,
        variant=variant,
        is_small=is_small,
    )
    data, _ = made.request(MESSAGES)
    found: dict[str, Any] = json.loads(data)
    return found


def test_openrouters_dialect() -> None:
    assert body() == {
        "model": "a/b",
        "messages": MESSAGES,
        "stream": True,
        "max_tokens": 16_384,
        "prompt_cache_key": "ses_1",
        "usage": {"include": True},
    }


def test_openais_dialect() -> None:
    found = body("openai", limit=Limit(0, 0))
    assert found == {
        "model": "a/b",
        "messages": MESSAGES,
        "stream": True,
        "stream_options": {"include_usage": True},
    }


@pytest.mark.parametrize(("most", "sent"), [(64_000, 32_000), (8_192, 8_192), (32_000, 32_000), (0, None)])
def test_the_output_limit(most: int, sent: int | None) -> None:
    """An unknown limit is not sent: nought would ask for nothing."""
    assert body(limit=Limit(1, most)).get("max_tokens") == sent


def test_options_go_as_they_are_but_cannot_turn_the_accounts_off() -> None:
    options = {"provider": {"only": ["x"]}, "max_tokens": 5, "stream": False, "usage": {"include": False}, "model": "z"}
    found = body(options=options)
    assert (found["provider"], found["max_tokens"]) == ({"only": ["x"]}, 5)
    assert (found["stream"], found["usage"], found["model"]) == (True, {"include": True}, "a/b")


def test_variants() -> None:
    assert body(variant="low")["reasoning"] == {"effort": "low"}
    assert body(variant="off")["reasoning"] == {"enabled": False}
    assert body("openai", variant="low")["reasoning_effort"] == "low"
    assert body(variant="mine", variants={"mine": {"top_p": 1}})["top_p"] == 1
    for provider, variant in (("fastrouter", "x"), ("openai", "on")):
        with pytest.raises(ClientError, match="minimal"):
            body(provider, variant=variant)


def test_tools() -> None:
    tool = {"type": "function", "function": {"name": "read"}}
    found = body(tools=[tool])
    assert (found["tools"], found["tool_choice"]) == ([tool], "auto")


def test_the_rules_of_the_provider_are_obeyed() -> None:
    """Mistral refuses what it does not know, and takes the key of the cache as a header."""
    model = ClientModel(id="m", name="m", options={"user": "me", "prompt_cache_key": "key"})
    data, headers = ChatRequests(gateways()["mistral"], model, "s", lambda: "u").request(MESSAGES)
    assert "user" not in json.loads(data)
    assert headers == {"x-affinity": "key"}


def test_a_small_model_is_not_to_think() -> None:
    """C.9.4, of the API's id; a variant and the model's own options say more. In OpenAI's dialect only who reasons may
    be told so."""
    assert body(is_small=True)["reasoning"] == {"effort": "minimal"}
    assert body(is_small=True, id="google/gemini")["reasoning"] == {"enabled": False}
    assert body(is_small=True, variant="high")["reasoning"] == {"effort": "high"}
    assert body(is_small=True, options={"reasoning": {"effort": "low"}})["reasoning"] == {"effort": "low"}
    assert "reasoning" not in body()
    plain = body("openai", is_small=True)
    assert not {"reasoning", "reasoning_effort"} & set(plain)
    assert body("openai", is_small=True, reasoning=True)["reasoning_effort"] == "minimal"
