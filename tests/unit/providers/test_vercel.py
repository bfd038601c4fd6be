import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tollway.catalog.preset import HostedModel
from tollway.providers.own_keys import AwsCredentials, OwnKey
from tollway.providers.rule import Draft
from tollway.providers.vercel import inference_provider, translate, vercel_id
from unit.providers.attempts import attempt, run

IDS = st.lists(st.sampled_from(["anthropic", "Z-AI", "google-vertex/eu", "amazon-bedrock"]), max_size=3)


def translated(body: dict[str, Any], **known: Any) -> dict[str, Any]:
    known.setdefault("model", "a/b")
    return translate(Draft(body), attempt(provider="vercel", **known)).body


@pytest.mark.parametrize(
    ("model", "sent"),
    [
        ("openai", "openai"),
        ("google", "google"),
        ("unknown/x", "unknown/x"),
        ("openai/gpt-5.2", "openai/gpt-5.2"),
        ("x-ai/a/b", "xai/a/b"),
    ],
)
def test_only_a_vendor_is_translated(model: str, sent: str) -> None:
    assert vercel_id(model) == sent


@pytest.mark.parametrize(
    ("gateway", "is_enabled", "sent"),
    [("openrouter", True, "zai/internal"), ("openrouter", False, "zai/m:free"), ("martian", True, "zai/m:free")],
)
def test_hosted_models(gateway: str, is_enabled: bool, sent: str) -> None:
    hosted = HostedModel("z-ai/m:free", "z-ai/internal", gateway, 1, 1, is_enabled)
    assert vercel_id("z-ai/m:free", hosted) == sent
    assert vercel_id("z-ai/m:free", hosted, "fixed/id") == "fixed/id"


def test_an_id_of_the_operators_own_stays() -> None:
    assert run({"model": "x-ai/grok-4"}, "vercel", upstream_model="xai/grok-4-fast").body["model"] == "xai/grok-4-fast"
    assert run({"model": "z-ai/glm-5"}, "vercel", upstream_model="Z-AI/GLM-5").body["model"] == "zai/glm-5"


@given(st.dictionaries(st.sampled_from(["only", "order"]), IDS))
def test_restrictions_stay_restrictions(said: dict[str, list[str]]) -> None:
    body = {"model": "a/b", "provider": said}
    before = copy.deepcopy(body)
    sent = translated(body)
    assert body == before
    assert sent["providerOptions"]["gateway"] == {n: [inference_provider(id_) for id_ in said[n]] for n in said}
    assert "provider" not in sent


@pytest.mark.parametrize(
    ("only", "sent"), [("Anthropic", ["anthropic"]), ([5, "z-ai"], ["zai"]), ([5], []), (5, []), ({}, []), ([], [])]
)
def test_what_cannot_be_read_allows_nobody(only: Any, sent: list[str]) -> None:
    assert translated({"provider": {"only": only}})["providerOptions"] == {"gateway": {"only": sent}}


@pytest.mark.parametrize("routing", [None, "x", 5, [], {}, {"only": None, "order": None, "zdr": None}, {"sort": "x"}])
def test_without_restrictions_there_is_an_empty_gateway(routing: Any) -> None:
    assert translated({"provider": routing})["providerOptions"] == {"gateway": {}}


@pytest.mark.parametrize("own_keys", [None, (OwnKey("anthropic", "sk-a"),)])
def test_a_caller_has_no_options_of_its_own(own_keys: tuple[OwnKey, ...] | None) -> None:
    """They could name somebody else's key, or take the restriction to the own ones away."""
    forged = {"gateway": {"byok": {"openai": [{"apiKey": "x"}]}}, "other": {}}
    sent = translated({"providerOptions": forged}, own_keys=own_keys)
    assert "openai" not in str(sent)
    assert set(sent["providerOptions"]) == {"gateway"}


def test_own_keys_keep_their_order_and_lie_together() -> None:
    keys = tuple(OwnKey(*one) for one in [("mistral", "1"), ("anthropic", "2"), ("codestral", "3"), ("anthropic", "4")])
    assert translated({}, own_keys=keys)["providerOptions"]["gateway"] == {
        "only": ["mistral", "anthropic"],
        "byok": {"mistral": [{"apiKey": "1"}, {"apiKey": "3"}], "anthropic": [{"apiKey": "2"}, {"apiKey": "4"}]},
    }


def test_keys_of_another_shape() -> None:
    aws = AwsCredentials("A", "S", "eu-west-1")
    sent = translated({}, own_keys=(OwnKey("zai", "1"), OwnKey("bedrock", aws)))["providerOptions"]["gateway"]
    assert sent["only"] == ["zai", "bedrock"]
    assert sent["byok"]["bedrock"] == [{"accessKeyId": "A", "secretAccessKey": "S", "region": "eu-west-1"}]
    coding_plan, plain = sent["byok"]["zai"]  # in this order
    assert (coding_plan.keys(), plain) == ({"apiKey", "baseURL"}, {"apiKey": "1"})


@pytest.mark.parametrize("zdr", [True, False])
def test_retention(zdr: bool) -> None:
    assert translated({"provider": {"zdr": zdr}})["providerOptions"] == {"gateway": {"zeroDataRetention": zdr}}


def test_own_keys_without_a_key_are_a_bug() -> None:
    with pytest.raises(ValueError, match="without a key"):
        translated({}, own_keys=())


def test_what_a_caller_said_about_providers_does_not_matter_to_own_keys() -> None:
    sent = translated({"provider": {"only": ["x"], "zdr": True}}, own_keys=(OwnKey("xai", "1"),))
    assert set(sent["providerOptions"]["gateway"]) == {"only", "byok"}


def test_betas_are_joined() -> None:
    for before, sent in (({}, "context-1m-2025-08-07"), ({"x-anthropic-beta": "a,b"}, "a,b,context-1m-2025-08-07")):
        draft = translate(Draft({}, {**before, "x-other": "1"}), attempt("anthropic/claude", "vercel"))
        assert draft.headers == {"x-other": "1", "anthropic-beta": sent}
    other = translate(Draft({}, {"x-other": "1"}), attempt("anthropics/claude", "vercel"))
    assert other.headers == {"x-other": "1"}


@pytest.mark.parametrize("verbosity", [None, "", 0])
def test_no_verbosity(verbosity: Any) -> None:
    assert translated({"verbosity": verbosity})["providerOptions"] == {"gateway": {}}
