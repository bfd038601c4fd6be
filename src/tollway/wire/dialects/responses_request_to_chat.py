"""A request in the words of OpenAI's Responses API as a Chat Completions request, for clients that speak the former.

What has no counterpart is refused where the caller would miss it (stored conversations, hosted tools) and left out
where it only asks for what happens anyway (`store`, `include`).
"""

from typing import Final

from msgspec import Struct

from tollway.wire.dialects.refusal import Refusal, RefusedError
from tollway.wire.dialects.responses_items_to_chat import read_items, shown_type
from tollway.wire.json_body import JsonObject, JsonValue

_STATELESS: Final = "Responses are not stored here: send the whole conversation as `input`."
_UNSUPPORTED: Final = {
    "previous_response_id": _STATELESS,
    "conversation": _STATELESS,
    "prompt": "Prompt templates are not stored here: send `instructions` and `input`.",
    "background": "Responses cannot run in the background here.",
}
_SAME: Final = (  # they have one name and one meaning in both
    "model",
    "stream",
    "temperature",
    "top_p",
    "parallel_tool_calls",
    "prompt_cache_key",
    "prompt_cache_retention",
    "safety_identifier",
    "service_tier",
    "user",
)
_ECHOED: Final = (
    "instructions",
    "max_output_tokens",
    "metadata",
    "parallel_tool_calls",
    "prompt_cache_key",
    "reasoning",
    "safety_identifier",
    "service_tier",
    "temperature",
    "text",
    "tool_choice",
    "tools",
    "top_p",
    "truncation",
    "user",
)
_CHOICES: Final = frozenset({"auto", "none", "required"})


class ResponsesRequest(Struct, frozen=True):
    """`chat`: the body of a Chat Completions request. `echo`: what the answer repeats of the request."""

    chat: JsonObject
    echo: JsonObject


def responses_request_to_chat(body: JsonObject) -> ResponsesRequest | Refusal:
    """The request as a chat request; what `wire.chat.parse_chat` checks is left to it. `body` is not edited."""
    try:
        chat = _read(body)
    except RefusedError as error:
        return error.refusal
    return ResponsesRequest(chat, {name: body[name] for name in _ECHOED if body.get(name) is not None})


def _read(body: JsonObject) -> JsonObject:
    for name, reason in _UNSUPPORTED.items():
        if body.get(name) not in (None, False):
            raise RefusedError(f"{name}: {reason}")
    chat: JsonObject = {name: body[name] for name in _SAME if body.get(name) is not None}
    chat["messages"] = _read_messages(body)
    if body.get("max_output_tokens") is not None:
        chat["max_completion_tokens"] = body["max_output_tokens"]
    reasoning = body.get("reasoning")
    if reasoning.__class__ is dict and reasoning.get("effort") is not None:
        chat["reasoning"] = {"effort": reasoning["effort"]}
    _read_text(body.get("text"), chat)
    _read_tools(body, chat)
    return chat


def _read_messages(body: JsonObject) -> list[JsonObject]:
    given, instructions = body.get("input"), body.get("instructions")
    if isinstance(given, str):
        messages: list[JsonObject] = [{"role": "user", "content": given}]
    elif given.__class__ is list:
        messages = read_items(given)
    else:
        raise RefusedError("input: must be text or a list of items.")
    if instructions is None:
        return messages
    if not isinstance(instructions, str):
        raise RefusedError("instructions: must be a text.")
    return [{"role": "system", "content": instructions}, *messages]


def _read_text(text: JsonValue, chat: JsonObject) -> None:
    if text is None:
        return
    if text.__class__ is not dict:
        raise RefusedError("text: must be an object.")
    if text.get("verbosity") is not None:
        chat["verbosity"] = text["verbosity"]
    asked = text.get("format")
    asked = asked if isinstance(asked, dict) else {}
    kind = asked.get("type")
    if kind == "json_object":
        chat["response_format"] = {"type": "json_object"}
    elif kind == "json_schema":
        schema = {name: value for name, value in asked.items() if name != "type"}
        chat["response_format"] = {"type": "json_schema", "json_schema": schema}
    elif kind not in (None, "text"):
        raise RefusedError(f"text.format: Formats of type {shown_type(kind)} are not supported.")


def _read_tools(body: JsonObject, chat: JsonObject) -> None:
    tools, choice = body.get("tools"), body.get("tool_choice")
    if tools is not None:
        if tools.__class__ is not list:
            raise RefusedError("tools: must be a list.")
        chat["tools"] = [_read_tool(tool, f"tools[{place}]") for place, tool in enumerate(tools)]
    if choice is None:
        return
    if isinstance(choice, str) and choice in _CHOICES:
        chat["tool_choice"] = choice
    elif choice.__class__ is dict and choice.get("type") == "function":
        chat["tool_choice"] = {"type": "function", "function": {"name": choice.get("name")}}
    else:
        raise RefusedError("tool_choice: must be auto, none, required or a function.")


def _read_tool(tool: JsonValue, at: str) -> JsonObject:
    kind = tool.get("type") if tool.__class__ is dict else None
    if kind != "function":
        raise RefusedError(f"{at}: Only function tools can be used here, not those of type {shown_type(kind)}.")
    names = ("name", "description", "parameters", "strict")
    return {"type": "function", "function": {name: tool[name] for name in names if tool.get(name) is not None}}
