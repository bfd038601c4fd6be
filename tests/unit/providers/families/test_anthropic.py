import pytest

from tollway.providers.families.anthropic import TOOL_STREAMING, rules, stream_tool_calls
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
