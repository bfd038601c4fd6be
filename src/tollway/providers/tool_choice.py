"""Make a model call a tool where the client's own tool says that it wants one in every turn.

Source: request-path 11.7.
"""

from typing import Final

from tollway.providers.rule import Attempt, Draft
from tollway.wire.json_body import JsonObject, JsonValue

COMPLETION_TOOL: Final = "attempt_completion"


def require_tool(draft: Draft, _: Attempt) -> Draft:
    """The client ends its loop by a tool, so an answer without a tool call would leave it waiting."""
    return draft.with_members(tool_choice="required") if _offers_completion(draft.body) else draft


def require_tool_unless_reasoning(draft: Draft, attempt: Attempt) -> Draft:
    """For models that refuse to be forced while they reason."""
    return draft if reasons(draft.body) else require_tool(draft, attempt)


def is_function(tool: JsonValue, name: str) -> bool:
    """Whether `tool` is the function `name`."""
    function = tool.get("function") if tool.__class__ is dict and tool.get("type") == "function" else None
    return function.__class__ is dict and function.get("name") == name


def reasons(body: JsonObject) -> bool:
    """Whether the request switches reasoning on."""
    reasoning = body.get("reasoning")
    if reasoning.__class__ is not dict:
        return False
    tokens_max = reasoning.get("max_tokens")
    return (
        reasoning.get("enabled") is True
        or reasoning.get("effort") not in (None, "none")
        or (tokens_max.__class__ in (int, float) and tokens_max > 0)
    )


def _offers_completion(body: JsonObject) -> bool:
    tools = body.get("tools")
    return tools.__class__ is list and any(is_function(tool, COMPLETION_TOOL) for tool in tools)
