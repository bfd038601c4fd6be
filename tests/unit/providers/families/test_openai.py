import pytest

from tollway.providers.families.openai import rules
from tollway.providers.rule import Target
from tollway.providers.tool_choice import require_tool


@pytest.mark.parametrize(
    ("model", "forced"),
    [("openai/gpt-5.2", True), ("openai/gpt-oss-120b", False), ("openai/gpt-oss", False), ("openai/gpt-o", True)],
)
def test_open_weights_are_left_alone(model: str, forced: bool) -> None:
    assert rules(Target(model, "openrouter")) == ((require_tool,) if forced else ())
