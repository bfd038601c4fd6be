"""Claude models. Source: request-path 11.6 and 11.7."""

from typing import Final

from tollway.providers.rule import Attempt, Draft, Rule, Target
from tollway.providers.tool_choice import require_tool_unless_reasoning
from tollway.wire.cache_breakpoints import mark_cache_breakpoints
from tollway.wire.edits import changed_at
from tollway.wire.json_body import JsonValue
from tollway.wire.tool_call_ids import has_dot, normalise_tool_call_ids

VENDOR: Final = "anthropic"
BETA_HEADER: Final = "x-anthropic-beta"
TOOL_STREAMING: Final = "fine-grained-tool-streaming-2025-05-14"

_MESSAGES: Final = ("messages",)
_SMALL: Final = "anthropic/claude-haiku"  # the only ones that may be made to call a tool


def rules(target: Target) -> tuple[Rule, ...]:
    """The rules for a model of this vendor."""
    rules = (stream_tool_calls, mark_breakpoints, rename_calls)
    return (*rules, require_tool_unless_reasoning) if target.model.startswith(_SMALL) else rules


def stream_tool_calls(draft: Draft, _: Attempt) -> Draft:
    """Arguments of tool calls come as they are written, not at their end."""
    given = draft.headers.get(BETA_HEADER)
    return draft.with_headers({BETA_HEADER: f"{given},{TOOL_STREAMING}" if given else TOOL_STREAMING})


def mark_breakpoints(draft: Draft, _: Attempt) -> Draft:
    """What the conversation begins with is cached, unless the caller says so in their own way."""
    return draft.with_body(changed_at(draft.body, _MESSAGES, mark_cache_breakpoints))


def rename_calls(draft: Draft, _: Attempt) -> Draft:
    """Ids of tool calls from elsewhere have dots, which these models refuse."""
    return draft.with_body(changed_at(draft.body, _MESSAGES, _without_dots))


def _without_dots(messages: JsonValue) -> JsonValue:
    return normalise_tool_call_ids(messages, has_dot)
