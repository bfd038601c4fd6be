"""A Chat Completions request → a request of Anthropic Messages. Source: response-path 5.4, 5.6 and 5.7."""

from typing import Final

from msgspec import Struct

from tollway.wire.dialects.anthropic_facts import AnthropicFacts
from tollway.wire.dialects.chat_messages_to_anthropic import AnthropicMessages
from tollway.wire.dialects.parameters import ModelOptions, Parameters
from tollway.wire.dialects.refusal import Refusal, RefusedError
from tollway.wire.dialects.tools import NONE, REQUIRED, FunctionTool, ToolChoice, function_tools, tool_choice
from tollway.wire.json_body import JsonObject

MESSAGES_PATH: Final = "/messages"  # below the base URL
VERSION: Final = "2023-06-01"


class AnthropicRequest(Struct, frozen=True):
    """`body` as an object to be encoded; `headers` besides the content type and `x-api-key`, in order."""

    body: JsonObject
    headers: tuple[tuple[str, str], ...]


def chat_to_anthropic(
    body: JsonObject, options: ModelOptions, parameters: Parameters, facts: AnthropicFacts
) -> AnthropicRequest | Refusal:
    """body: a checked chat request, which is not edited; its `model` counts for nothing. parameters: of this request
    (read_parameters)."""
    messages = AnthropicMessages(parameters.is_legacy)
    try:
        messages.read(body)
    except RefusedError as error:
        return error.refusal
    model = options.internal_id
    choice, tools = tool_choice(body), function_tools(body)
    has_tools = bool(tools) and choice.mode != NONE
    sent: JsonObject = {
        "model": model,
        "max_tokens": _completion_tokens_max(options, parameters, facts),
        "thinking": {"type": "adaptive"},
    }
    if parameters.verbosity:
        sent["output_config"] = {"effort": parameters.verbosity}
    if messages.system:
        sent["system"] = messages.system
    sent["messages"] = messages.messages
    if has_tools:
        may_be_strict = facts.has_structured_output(model)
        sent["tools"] = [_tool(tool, may_be_strict) for tool in tools]
        sent["tool_choice"] = _choice(choice, parameters.parallel_tool_calls)
    if parameters.stream:
        sent["stream"] = True
    betas = facts.betas
    asked = (
        betas.pdf if messages.has_pdf else "",
        betas.effort if parameters.verbosity else "",
        betas.tool_streaming if parameters.stream else "",
        betas.structured_outputs if has_tools and facts.has_structured_output(model) else "",
        *betas.always,
    )
    return AnthropicRequest(sent, _headers([beta for beta in asked if beta]))


def _completion_tokens_max(options: ModelOptions, parameters: Parameters, facts: AnthropicFacts) -> int:
    """The row's limit, else the known one of the model, is the default and the most; unknown models have no most."""
    most = options.completion_tokens_max or facts.output_limit(options.internal_id)
    asked = parameters.completion_tokens_max
    if asked is None:
        return most or facts.completion_tokens_default
    return min(asked, most) if most else asked


def _tool(tool: FunctionTool, may_be_strict: bool) -> JsonObject:
    written: JsonObject = {"name": tool.name}
    if tool.description is not None:
        written["description"] = tool.description
    written["input_schema"] = tool.schema
    if may_be_strict and tool.strict is not None:
        written["strict"] = tool.strict
    return written


def _choice(choice: ToolChoice, parallel: bool) -> JsonObject:
    if choice.name:
        return {"type": "tool", "name": choice.name, "disable_parallel_tool_use": not parallel}
    return {"type": "any" if choice.mode == REQUIRED else "auto", "disable_parallel_tool_use": not parallel}


def _headers(betas: list[str]) -> tuple[tuple[str, str], ...]:
    version = ("anthropic-version", VERSION)
    return (version, ("anthropic-beta", ",".join(betas))) if betas else (version,)
