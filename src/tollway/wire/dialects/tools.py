"""Tools and the choice among them, read from a chat request. Source: response-path 5.6 and 5.7."""

from typing import Final

from msgspec import Struct

from tollway.wire.json_body import JsonObject, JsonValue

AUTO: Final = "auto"
NONE: Final = "none"
REQUIRED: Final = "required"


class FunctionTool(Struct, frozen=True):
    """`description`, `parameters` and `strict` None: the caller did not say."""

    name: str
    description: str | None = None
    parameters: JsonObject | None = None
    strict: bool | None = None

    @property
    def schema(self) -> JsonObject:
        return {"type": "object"} if self.parameters is None else self.parameters


class ToolChoice(Struct, frozen=True):
    """`mode`: AUTO, NONE or REQUIRED. `name`: this very tool is required."""

    mode: str = AUTO
    name: str | None = None


def function_tools(body: JsonObject) -> list[FunctionTool]:
    """The function tools; of two with one name the last one, in the place of the first. Other tools are left out."""
    found: dict[str, FunctionTool] = {}
    tools = body.get("tools")
    for tool in tools if isinstance(tools, list) else ():
        if isinstance(tool, dict) and tool.get("type") == "function":
            one = _function_tool(tool.get("function"))
            if one:
                found[one.name] = one
    return list(found.values())


def _function_tool(function: JsonValue) -> FunctionTool | None:
    name = function.get("name") if isinstance(function, dict) else None
    if not isinstance(name, str) or not name:
        return None
    description, parameters, strict = (function.get(key) for key in ("description", "parameters", "strict"))
    return FunctionTool(
        name,
        description if isinstance(description, str) else None,
        parameters if isinstance(parameters, dict) else None,
        strict if isinstance(strict, bool) else None,
    )


def tool_choice(body: JsonObject) -> ToolChoice:
    """What the caller chose; anything unknown counts as absent, which is AUTO."""
    choice = body.get("tool_choice")
    if isinstance(choice, str) and choice in (NONE, REQUIRED):
        return ToolChoice(choice)
    if isinstance(choice, dict) and choice.get("type") == "function":
        function = choice.get("function")
        name = function.get("name") if isinstance(function, dict) else None
        if isinstance(name, str) and name:
            return ToolChoice(REQUIRED, name)
    return ToolChoice()
