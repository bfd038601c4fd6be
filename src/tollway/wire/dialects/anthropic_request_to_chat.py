"""A request of Anthropic Messages → a Chat Completions request, so that such a client is served by the chat pipeline.

What chat has no word for (top_k, service tiers, metadata) is sent under its own name where gateways know it, else left
out; what would change the answer if it were left out (tools that a provider runs, uploaded files) is refused.
Source: Anthropic's API reference; the mapping is that of response-path 5.4 to 5.8 read backwards.
"""

from collections.abc import Mapping
from typing import Final

from tollway.wire.dialects.anthropic_messages_to_chat import chat_messages
from tollway.wire.dialects.parameters import VERBOSITIES
from tollway.wire.dialects.refusal import Refusal, RefusedError, unsupported_tool
from tollway.wire.dialects.tools import AUTO, NONE, REQUIRED
from tollway.wire.json_body import JsonObject, JsonValue

_SAME: Final = ("model", "max_tokens", "temperature", "top_p", "top_k", "stream")
_TOOL_CHOICES: Final[Mapping[str, str]] = {"auto": AUTO, "any": REQUIRED, "none": NONE}
_NEAREST_VERBOSITY: Final[Mapping[str, str]] = {"xhigh": "high"}  # not more than was asked for
_FORMAT_NAME: Final = "answer"  # chat wants its schemas named


def anthropic_request_to_chat(body: JsonObject) -> JsonObject | Refusal:
    """body: the decoded request, which is not edited. The result is not checked: what chat requests may hold
    (wire/chat.py) still applies to it."""
    try:
        return _chat(body)
    except RefusedError as error:
        return error.refusal


def _chat(body: JsonObject) -> JsonObject:
    chat: JsonObject = {name: body[name] for name in _SAME if body.get(name) is not None}
    if body.get("mcp_servers"):
        raise unsupported_tool("mcp_servers")
    chat["messages"] = chat_messages(body)
    stops = body.get("stop_sequences")
    if isinstance(stops, list) and stops:
        chat["stop"] = stops
    _add_tools(chat, body)
    _add_thinking(chat, body.get("thinking"))
    _add_output(chat, body)
    return chat


def _add_tools(chat: JsonObject, body: JsonObject) -> None:
    tools = body.get("tools")
    if isinstance(tools, list) and tools:
        chat["tools"] = [_tool(tool) for tool in tools if isinstance(tool, dict)]
    choice = body.get("tool_choice")
    if not isinstance(choice, dict):
        return
    kind, name = choice.get("type"), choice.get("name")
    if kind == "tool" and isinstance(name, str):
        chat["tool_choice"] = {"type": "function", "function": {"name": name}}
    elif isinstance(kind, str) and kind in _TOOL_CHOICES:
        chat["tool_choice"] = _TOOL_CHOICES[kind]
    if choice.get("disable_parallel_tool_use") is True:
        chat["parallel_tool_calls"] = False


def _tool(tool: JsonObject) -> JsonObject:
    kind = tool.get("type")
    if kind not in (None, "custom"):
        raise unsupported_tool(kind)
    named = {"name": "name", "description": "description", "input_schema": "parameters", "strict": "strict"}
    return {
        "type": "function",
        "function": {ours: tool[theirs] for theirs, ours in named.items() if tool.get(theirs) is not None},
    }


def _add_thinking(chat: JsonObject, thinking: JsonValue) -> None:
    if not isinstance(thinking, dict):
        return
    kind, budget = thinking.get("type"), thinking.get("budget_tokens")
    if kind == "disabled":
        chat["reasoning"] = {"enabled": False}
    elif kind == "enabled" and isinstance(budget, int):
        chat["reasoning"] = {"max_tokens": budget}
    elif kind in ("enabled", "adaptive"):
        chat["reasoning"] = {"enabled": True}


def _add_output(chat: JsonObject, body: JsonObject) -> None:
    output = body.get("output_config")
    output = output if isinstance(output, dict) else {}
    effort = output.get("effort")
    if isinstance(effort, str) and (effort in VERBOSITIES or effort in _NEAREST_VERBOSITY):
        chat["verbosity"] = _NEAREST_VERBOSITY.get(effort, effort)
    wanted = output.get("format")
    if isinstance(wanted, dict) and wanted.get("type") == "json_schema":
        schema = {"name": _FORMAT_NAME, "strict": True, "schema": wanted.get("schema")}
        chat["response_format"] = {"type": "json_schema", "json_schema": schema}
