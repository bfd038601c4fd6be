"""The effective parameters of a translated request: what the caller says, else what the model's row says.

No other sampling parameter is forwarded. Source: response-path 5.1 and 5.2.
"""

from typing import Final, TypeGuard

from msgspec import Struct

from tollway.wire.json_body import JsonObject, JsonValue

VERBOSITIES: Final = frozenset({"low", "medium", "high", "max"})
EFFORTS: Final = frozenset({"none", "minimal", "low", "medium", "high", "xhigh"})


class ModelOptions(Struct, frozen=True):
    """What the row of a custom LLM says about its model; where it lives and its key are not a translator's business.

    `public_id` is what callers ask for and answers name, `internal_id` what the provider calls it.
    `completion_tokens_max` 0: not limited by the row. `included_tools` None: not said. The tool lists and
    `supports_image_input` tell clients what to send; a request is not changed for them.
    """

    public_id: str
    internal_id: str
    completion_tokens_max: int = 0
    context_length: int = 0
    verbosity: str | None = None
    reasoning_effort: str | None = None
    included_tools: tuple[str, ...] | None = None
    excluded_tools: tuple[str, ...] | None = None
    supports_image_input: bool = False
    force_reasoning: bool = False


class Parameters(Struct, frozen=True):
    """`completion_tokens_max` None: no limit given, as for the rest. `is_legacy`: an old client, which loses ids of
    reasoning in the plain format and calls one tool at a time."""

    stream: bool = False
    verbosity: str | None = None
    reasoning_effort: str | None = None
    completion_tokens_max: int | None = None
    temperature: float | None = None
    parallel_tool_calls: bool = True
    is_legacy: bool = False


def read_parameters(
    body: JsonObject, options: ModelOptions, user_agent: str = "", legacy_client_prefix: str = ""
) -> Parameters:
    """body: a chat request that was checked (wire/chat.py). user_agent: the caller's. legacy_client_prefix: what the
    User-Agent of old clients begins with; empty: there are none."""
    reasoning = body.get("reasoning")
    asked_effort = reasoning.get("effort") if isinstance(reasoning, dict) else None
    is_legacy = bool(legacy_client_prefix) and user_agent.startswith(legacy_client_prefix)
    temperature = body.get("temperature")
    return Parameters(
        stream=body.get("stream") is True,
        verbosity=_one_of(VERBOSITIES, body.get("verbosity"), options.verbosity),
        reasoning_effort=_one_of(EFFORTS, asked_effort, options.reasoning_effort),
        completion_tokens_max=_first_count(body.get("max_completion_tokens"), body.get("max_tokens")),
        temperature=temperature if _is_number(temperature) else None,
        parallel_tool_calls=body.get("parallel_tool_calls") is not False and not is_legacy,
        is_legacy=is_legacy,
    )


def _one_of(known: frozenset[str], asked: JsonValue, of_row: str | None) -> str | None:
    """An unknown word is ignored, and does not let the row's through."""
    value = of_row if asked is None else asked
    return value if isinstance(value, str) and value in known else None


def _first_count(*values: JsonValue) -> int | None:
    """The first that was given. An integral float counts as an integer; others were refused before."""
    return next((int(value) for value in values if _is_number(value)), None)


def _is_number(value: JsonValue) -> TypeGuard[int | float]:
    return isinstance(value, int | float) and not isinstance(value, bool)
