import pytest
from hypothesis import given
from hypothesis import strategies as st

from tollway.catalog.preset import HostedModel, OwnKeys, Preset
from tollway.routing.own_keys import KeyCandidates, gateway_for
from unit.gateway.fakes import upstream

KNOWN = OwnKeys().provider_ids
MODELS = st.sampled_from(["anthropic/a", "openai/gpt-oss-1", "mistralai/codestral-x", "x-ai/g", "foo/bar", "bare", ""])
TAGS = st.lists(st.sampled_from([*KNOWN, "vertexAnthropic", "novita"]), max_size=6).map(tuple)


@given(st.dictionaries(MODELS, TAGS), MODELS)
def test_nobody_is_a_candidate_whose_keys_nobody_may_bring(stored: dict[str, tuple[str, ...]], model: str) -> None:
    assert set(KeyCandidates(Preset(), stored).of(model)) <= set(KNOWN)


@given(TAGS)
def test_candidates_keep_the_order_of_the_endpoints(tags: tuple[str, ...]) -> None:
    assert KeyCandidates(Preset(), {"foo/bar": tags}).of("foo/bar") == tuple(tag for tag in tags if tag in KNOWN)


def test_once_something_is_stored_nothing_is_inferred() -> None:
    candidates = KeyCandidates(Preset())
    assert candidates.of("anthropic/a") == ("anthropic",)
    candidates.replace({"foo/bar": ("openai",)})
    assert (candidates.of("anthropic/a"), candidates.of("foo/bar")) == ((), ("openai",))
    candidates.replace({})
    assert candidates.of("anthropic/a") == ("anthropic",)


@pytest.mark.parametrize("model", ["anthropic", "openai/gpt-oss-120b", "qwen/q", "", "/"])
def test_no_vendor_to_infer_from(model: str) -> None:
    assert KeyCandidates(Preset()).of(model) == ()


def test_a_hosted_free_model_is_looked_up_as_the_gateway_calls_it() -> None:
    hosted = HostedModel("minimax/M1:free", "minimax/m1", "openrouter", 1_000, 100)
    preset = Preset(hosted_models=(hosted,), second_gateway_ids={"a/b": "c/d"})
    candidates = KeyCandidates(preset, {"minimax/m1": ("minimax",), "c/d": ("zai",)})
    assert (candidates.of("minimax/m1:free"), candidates.of("a/b")) == (("minimax",), ("zai",))


def test_a_gateway_is_only_one_that_takes_keys() -> None:
    plain, first, second = upstream("plain"), upstream("a", takes_own_keys=True), upstream("b", takes_own_keys=True)
    everybody = {one.id: one for one in (plain, first, second)}
    assert gateway_for(everybody, "b") is second
    assert gateway_for(everybody, "plain") is first
    assert gateway_for({"plain": plain}, "plain") is None
