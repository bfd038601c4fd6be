"""A Chat Completions request as the body of `POST /responses` of OpenAI. Pure; cache marks mean nothing there.

Reasoning goes back as the items it came in, and messages with the phases they were marked with. Source: response-path
5.5 to 5.9.
"""

from collections.abc import Collection, Mapping
from typing import Final

from msgspec import Struct

from tollway.wire.dialects.chat_content_to_responses import assistant_parts, result_output, user_parts
from tollway.wire.dialects.chat_reasoning_to_responses import reasoning_items
from tollway.wire.dialects.content import message_text
from tollway.wire.dialects.conversation import ASSISTANT, SYSTEM, USER, call_id, messages_of, tool_calls_of
from tollway.wire.dialects.openai_facts import OpenAIFacts
from tollway.wire.dialects.parameters import ModelOptions, Parameters
from tollway.wire.dialects.phases import phase_key
from tollway.wire.dialects.refusal import Refusal, RefusedError
from tollway.wire.dialects.tools import REQUIRED, FunctionTool, ToolChoice, function_tools, tool_choice
from tollway.wire.json_body import JsonObject, JsonValue

_VERBOSITY_MAX: Final = {"max": "high"}  # what OpenAI calls it
_NONE: Final = "none"
_COPIED: Final = ("prompt_cache_key", "safety_identifier", "user")
_DEVELOPER: Final = "developer"


class ResponsesDraft(Struct, frozen=True):
    """A body that may still get phases. `messages` are the assistant's among its input items."""

    body: JsonObject
    messages: tuple[JsonObject, ...]

    def phase_keys(self, user_id: str, task_id: str | None) -> list[str]:
        """What to look up, one key for each of `messages`."""
        return [_key(message, user_id, task_id) for message in self.messages]

    def with_phases(self, keys: Collection[str], phases: Mapping[str, str]) -> JsonObject:
        """The body, its messages marked with the phases that are known. keys: of phase_keys; phases: key → phase."""
        known = {
            id(message): {**message, "phase": phases[key]}
            for message, key in zip(self.messages, keys, strict=True)
            if key in phases
        }
        if not known:
            return self.body
        return {**self.body, "input": [known.get(id(item), item) for item in self.body["input"]]}


def _key(message: JsonObject, user_id: str, task_id: str | None) -> str:
    return phase_key(user_id, task_id, [part["text"] for part in message["content"]])


def chat_to_responses(
    body: JsonObject, options: ModelOptions, parameters: Parameters, facts: OpenAIFacts
) -> ResponsesDraft | Refusal:
    """body: a chat request that was checked and repaired; it is not edited. Where the model's API has no phases
    (`facts.has_phases(base_url)`), the draft's body is what is sent."""
    is_reasoning = (options.force_reasoning and parameters.reasoning_effort != _NONE) or facts.reasons(
        options.internal_id
    )
    try:
        items = _items(body, is_reasoning, parameters.is_legacy)
    except RefusedError as error:
        return error.refusal
    written: JsonObject = {"model": options.internal_id, "input": items}
    if parameters.completion_tokens_max is not None:
        written["max_output_tokens"] = parameters.completion_tokens_max
    if parameters.temperature is not None and _takes_temperature(is_reasoning, options, parameters, facts):
        written["temperature"] = parameters.temperature
    if parameters.verbosity:
        written["text"] = {"verbosity": _VERBOSITY_MAX.get(parameters.verbosity, parameters.verbosity)}
    if is_reasoning:
        effort = {"effort": parameters.reasoning_effort} if parameters.reasoning_effort else {}
        written["reasoning"] = {**effort, "summary": "auto"}
    written["include"] = ["reasoning.encrypted_content"]
    written["store"] = False
    written["parallel_tool_calls"] = parameters.parallel_tool_calls
    written.update({name: body[name] for name in _COPIED if body.get(name) is not None})
    tools = function_tools(body)
    if tools:
        written["tools"] = [_tool(tool) for tool in tools]
        written["tool_choice"] = _choice(tool_choice(body))
    if parameters.stream:
        written["stream"] = True
    return ResponsesDraft(written, tuple(item for item in items if item.get("role") == ASSISTANT))


def _takes_temperature(is_reasoning: bool, options: ModelOptions, parameters: Parameters, facts: OpenAIFacts) -> bool:
    if not is_reasoning:
        return True
    return parameters.reasoning_effort == _NONE and options.internal_id.startswith(facts.temperature_models)


def _items(body: JsonObject, is_reasoning: bool, is_legacy: bool) -> list[JsonObject]:
    items: list[JsonObject] = []
    for role, message in messages_of(body):
        content = message.get("content")
        if role == SYSTEM:
            items.append({"role": _DEVELOPER if is_reasoning else SYSTEM, "content": message_text(content)})
        elif role == USER:
            items.append({"role": USER, "content": user_parts(content)})
        elif role == ASSISTANT:
            items += _assistant_items(message, is_legacy)
        else:
            id_ = call_id(message.get("tool_call_id"))
            items.append({"type": "function_call_output", "call_id": id_, "output": result_output(content)})
    return items


def _assistant_items(message: JsonObject, is_legacy: bool) -> list[JsonObject]:
    items = reasoning_items(message, is_legacy)
    parts = assistant_parts(message.get("content"))
    if parts:
        items.append({"role": ASSISTANT, "content": parts})
    items += [
        {"type": "function_call", "call_id": id_, "name": name, "arguments": _arguments(arguments)}
        for id_, name, arguments in tool_calls_of(message)
    ]
    return items


def _arguments(written: JsonValue) -> str:
    return written if isinstance(written, str) else ""


def _tool(tool: FunctionTool) -> JsonObject:
    optional = {"description": tool.description, "parameters": tool.schema, "strict": tool.strict}
    given = {name: value for name, value in optional.items() if value is not None}
    return {"type": "function", "name": tool.name, **given}


def _choice(choice: ToolChoice) -> JsonValue:
    if choice.mode == REQUIRED and choice.name is not None:
        return {"type": "function", "name": choice.name}
    return choice.mode
