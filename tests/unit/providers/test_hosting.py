from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tollway.catalog.preset import HostedModel
from tollway.providers.hosting import prefer_providers, substitute
from tollway.providers.rule import Draft
from unit.providers.attempts import attempt, run

FREE = HostedModel("a/b:free", "a/b", "openrouter", 1_000, 100)
BOUND = HostedModel("a/b:free", "a/b", "openrouter", 1_000, 100, inference_providers=("first", "second"))
ROUTING = st.none() | st.just("x") | st.dictionaries(st.sampled_from(["only", "order", "zdr", "ignore"]), st.integers())


@given(ROUTING)
def test_the_required_providers_replace_whatever_was_said(said: Any) -> None:
    body = {"model": "a/b:free", "provider": said}
    sent = substitute(Draft(body), attempt("a/b:free", hosted=BOUND)).body
    assert sent == {"model": "a/b", "provider": {"only": ["first", "second"]}}
    assert substitute(Draft(body), attempt("a/b:free", hosted=FREE)).body == {"model": "a/b", "provider": said}
    assert body == {"model": "a/b:free", "provider": said}


def test_an_id_of_the_operators_own_stays() -> None:
    sent = substitute(Draft({"model": "mine"}), attempt("a/b:free", hosted=BOUND, is_renamed=True)).body
    assert sent == {"model": "mine", "provider": {"only": ["first", "second"]}}
    assert run({"model": "corethink:free"}, "corethink", upstream_model="mine").body["model"] == "mine"
    for same in ("corethink:free", "CoreThink:Free", "corethink"):
        assert run({"model": "corethink:free"}, "corethink", upstream_model=same).body["model"] == "corethink"


def test_other_models_are_left_alone() -> None:
    draft = Draft({"model": "a/b"})
    assert substitute(draft, attempt("a/b")) is draft


@given(ROUTING)
def test_an_order_is_only_ever_added(said: Any) -> None:
    draft = Draft({"provider": said})
    sent = prefer_providers(draft, attempt("a/b", inference_order=("first",)))
    if said is None:
        assert sent.body == {"provider": {"order": ["first"]}}
    elif isinstance(said, dict) and "order" not in said:
        assert sent.body == {"provider": {**said, "order": ["first"]}}
    else:
        assert sent is draft
    assert prefer_providers(sent, attempt("a/b", inference_order=("first",))) is sent


@pytest.mark.parametrize(("order", "sent"), [(None, ["first"]), ([], []), (["x"], ["x"])])
def test_an_empty_order_is_an_order(order: list[str] | None, sent: list[str]) -> None:
    draft = Draft({"provider": {"order": order}})
    assert prefer_providers(draft, attempt(inference_order=("first",))).body["provider"]["order"] == sent


def test_who_does_not_choose_is_not_told_an_order() -> None:
    model = "anthropic/claude-sonnet-4.6"
    assert "provider" not in run({"model": model}, "compatible").body
    assert "provider" not in run({"model": model}, "openai").body
    assert run({"model": model}, "fastrouter").body["provider"] == {"order": ["amazon-bedrock", "anthropic"]}
