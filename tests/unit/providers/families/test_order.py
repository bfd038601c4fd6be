import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tollway.providers import hosting
from tollway.providers.families import mistral
from tollway.providers.families.order import rules_for
from tollway.providers.mistral import leave_unknown
from tollway.providers.rule import Draft, Rule, Target
from unit.providers.attempts import KILO, PROVIDERS, attempt, run

MODELS = (
    "anthropic/claude-haiku-4.5",
    "google/gemini-3.1-pro-preview",
    "mistralai/codestral-2508",
    "moonshotai/kimi-k2.5:free",
    "openai/gpt-5.2",
    "qwen/qwen3-coder",
    "x-ai/grok-4",
    "corethink:free",
    "giga-potato-thinking",
    "deepseek/v3",
)
TOOL = {"type": "function", "function": {"name": "attempt_completion", "strict": True}}
MEMBERS: dict[str, st.SearchStrategy[Any]] = {
    "messages": st.lists(st.sampled_from([{"role": "user", "content": "x"}, {"role": "system", "reasoning": "y"}])),
    "tools": st.lists(st.sampled_from([TOOL, {}, None])),
    "temperature": st.none() | st.floats(0, 2),
    "max_tokens": st.none() | st.integers(0, 100_000),
    "reasoning": st.none() | st.fixed_dictionaries({"enabled": st.booleans()}),
    "provider": st.none() | st.fixed_dictionaries({"only": st.just(["x"])}),
    "prompt_cache_key": st.none() | st.text(),
    "providerOptions": st.just({"a": 1}),
    "user": st.just("u"),
}
BODIES = st.fixed_dictionaries({}, optional=MEMBERS)


@given(BODIES, st.sampled_from(MODELS), st.sampled_from(sorted(PROVIDERS)))
def test_a_request_is_never_edited_in_place(body: dict[str, Any], model: str, provider: str) -> None:
    """A retry at another provider starts from the same body."""
    given = {"model": model, **body}
    before = copy.deepcopy(given)
    first = run(given, provider)
    assert given == before
    assert run(given, provider).body == first.body


@given(BODIES, st.sampled_from([model for model in MODELS if "/" in model]))
def test_running_twice_changes_nothing_more(body: dict[str, Any], model: str) -> None:
    for provider in ("openrouter", "mistral", "compatible"):
        once = run({"model": model, **body}, provider).body
        assert run({**once, "model": model}, provider).body == once


@given(BODIES, st.sampled_from(MODELS))
def test_what_a_caller_is_restricted_to_is_never_widened(body: dict[str, Any], model: str) -> None:
    hosted = {one.public_id: list(one.inference_providers) for one in KILO.hosted_models}.get(model)
    given = {**body, "provider": {"only": ["x"]}}
    for provider in ("openrouter", "fastrouter"):
        assert run({"model": model, **given}, provider).body["provider"]["only"] == (hosted or ["x"])
    assert run({"model": model, **given}, "vercel").body["providerOptions"]["gateway"]["only"] == (hosted or ["x"])


@given(BODIES, st.permutations(list(mistral.RULES)))
def test_the_rules_of_a_family_do_not_depend_on_their_order(body: dict[str, Any], order: list[Rule]) -> None:
    def after(rules: Any) -> Any:
        draft = Draft(body)
        for rule in rules:
            draft = rule(draft, attempt())
        return draft.body

    assert after(order) == after(mistral.RULES)


def test_a_rule_runs_once() -> None:
    own = rules_for(Target("mistralai/x", "mistral"), PROVIDERS["mistral"])
    assert own == (leave_unknown, *mistral.RULES)


def test_the_provider_comes_last() -> None:
    hosted = KILO.hosted_models[0]
    target = Target("x-ai/x", "vercel", hosted, inference_order=("x",))
    rules = rules_for(target, PROVIDERS["vercel"])
    assert rules[0] is hosting.substitute
    assert rules[-2:] == (hosting.prefer_providers, PROVIDERS["vercel"].rules[0])


@pytest.mark.parametrize("model", ["anthropic", "mistralai", "x-ai2/grok", "anthropicx/claude", "/x", ""])
def test_what_only_looks_like_a_family(model: str) -> None:
    assert rules_for(Target(model, "martian"), PROVIDERS["martian"]) == ()
