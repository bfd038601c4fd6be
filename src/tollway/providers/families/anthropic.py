"""Claude models. Source: request-path 11.6 and 11.7."""

from typing import Final

from tollway.providers.rule import Attempt, Draft, Rule, Target
from tollway.providers.tool_choice import require_tool_unless_reasoning

VENDOR: Final = "anthropic"
BETA_HEADER: Final = "x-anthropic-beta"
TOOL_STREAMING: Final = "fine-grained-tool-streaming-2025-05-14"

_SMALL: Final = "anthropic/claude-haiku"  # the only ones that may be made to call a tool


def rules(target: Target) -> tuple[Rule, ...]:
    """The rules for a model of this vendor."""
    small = target.model.startswith(_SMALL)
    return (stream_tool_calls, require_tool_unless_reasoning) if small else (stream_tool_calls,)


def stream_tool_calls(draft: Draft, _: Attempt) -> Draft:
    """Arguments of tool calls come as they are written, not at their end."""
    given = draft.headers.get(BETA_HEADER)
    return draft.with_headers({BETA_HEADER: f"{given},{TOOL_STREAMING}" if given else TOOL_STREAMING})
