"""OpenAI's models; those with open weights are served by others and are left alone. Source: request-path 11.9.10."""

from typing import Final

from tollway.providers.rule import Rule, Target
from tollway.providers.tool_choice import require_tool

VENDOR: Final = "openai"

_OPEN_WEIGHTS: Final = "openai/gpt-oss"


def rules(target: Target) -> tuple[Rule, ...]:
    """The rules for a model of this vendor."""
    return () if target.model.startswith(_OPEN_WEIGHTS) else (require_tool,)
