import pytest

from tollway.providers.families.anthropic import (
    TOOL_STREAMING,
    mark_breakpoints,
    rename_calls,
    rules,
    stream_tool_calls,
)
from tollway.providers.rule import Draft, Target
from tollway.providers.tool_choice import require_tool_unless_reasoning
from unit.providers.attempts import attempt


def test_a_beta_joins_those_that_are_there() -> None:
    draft = stream_tool_calls(Draft({}, {"x-anthropic-beta": "a"}), attempt())
    assert draft.headers == {"x-anthropic-beta": f"a,{TOOL_STREAMING}"}


@pytest.mark.parametrize(
    ("model", "forced"),
    [("anthropic/claude-haiku-4.5", True), ("anthropic/claude-sonnet-4.6", False), ("anthropic/haiku", False)],
)
def test_the_small_ones_may_be_forced(model: str, forced: bool) -> None:
    assert (require_tool_unless_reasoning in rules(Target(model, "openrouter"))) is forced


def test_conversations_are_cached_and_calls_have_ids_without_dots() -> None:
    """As the rules of the model run, one after the other; what has neither is not copied."""
    body = {
        "messages": [
            {"role": "system", "content": "s"},
            {"role": "assistant", "tool_calls": [{"id": "a.b", "function": {"name": "f"}}]},
            {"role": "tool", "tool_call_id": "a.b", "content": "r"},
        ]
    }
    draft = Draft(body)
    for rule in (mark_breakpoints, rename_calls):
        assert rule in rules(Target("anthropic/claude-sonnet-4.6", "openrouter"))
        draft = rule(draft, attempt())
    system, assistant, result = draft.body["messages"]
    assert system["content"][0]["cache_control"] == {"type": "ephemeral"}
    assert result["content"][0]["cache_control"] == {"type": "ephemeral"}
    assert assistant["tool_calls"][0]["id"] == result["tool_call_id"]
    assert len(result["tool_call_id"]) == 64
    assert body["messages"][0]["content"] == "s"
    plain = Draft({"messages": [{"role": "user", "content": "hi"}]})
    assert rename_calls(mark_breakpoints(plain, attempt()), attempt()) is plain
