"""The scripted models: what each says by default and what its tokens cost.

Prices are exact decimal strings, USD per token. An id that is not in the table is served like `sim/story`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from functools import lru_cache
from typing import Final, Literal

import msgspec

ScriptName = Literal["story", "echo", "toolsmith"]


@dataclass(frozen=True, slots=True)
class ScriptedModel:
    """One model: its script, its defaults and its list price."""

    id: str
    name: str
    script: ScriptName = "story"
    prompt_usd: str = "0.0000005"
    completion_usd: str = "0.0000015"
    cache_read_usd: str = "0.00000005"
    request_usd: str = "0"
    chunks: int = 24
    reasoning_tokens: int = 0
    caches: bool = False


@dataclass(frozen=True, slots=True)
class Tally:
    """Tokens of one answer; `cached` is a part of `prompt`, `reasoning` a part of `completion`."""

    prompt: int = 0
    cached: int = 0
    completion: int = 0
    reasoning: int = 0


MODELS: Final[Mapping[str, ScriptedModel]] = {
    model.id: model
    for model in (
        ScriptedModel("sim/story", "Sim: Story"),
        ScriptedModel("sim/echo", "Sim: Echo", script="echo", prompt_usd="0.0000001", completion_usd="0.0000004"),
        ScriptedModel(
            "sim/reasoner", "Sim: Reasoner", prompt_usd="0.00000125", completion_usd="0.00001", reasoning_tokens=12
        ),
        ScriptedModel("sim/toolsmith", "Sim: Toolsmith", script="toolsmith", completion_usd="0.000002"),
        ScriptedModel("sim/cached", "Sim: Cached", prompt_usd="0.000003", completion_usd="0.000015", caches=True),
        ScriptedModel("sim/free:free", "Sim: Free", prompt_usd="0", completion_usd="0", cache_read_usd="0"),
    )
}
_CREATED: Final = 1_767_225_600
_CONTEXT_TOKENS: Final = 131_072
_COMPLETION_TOKENS: Final = 32_768
_PARAMETERS: Final = ("max_tokens", "reasoning", "seed", "stop", "temperature", "tool_choice", "tools", "top_p")


@lru_cache(maxsize=1024)
def find_model(model_id: str) -> ScriptedModel:
    """The model with this id, or `sim/story` under this id."""
    return MODELS.get(model_id) or replace(MODELS["sim/story"], id=model_id)


def list_price(model: ScriptedModel, tally: Tally) -> Decimal:
    """USD for these tokens, exact; nothing was generated and nothing read when both counts are 0."""
    cached = min(tally.cached, tally.prompt)
    return (
        _decimal(model.request_usd)
        + _decimal(model.prompt_usd) * (tally.prompt - cached)
        + _decimal(model.cache_read_usd) * cached
        + _decimal(model.completion_usd) * tally.completion
    )


def price_text(price: Decimal) -> str:
    """A price as JSON number text without exponent or trailing zeros."""
    text = format(price, "f")
    return (text.rstrip("0").rstrip(".") or "0") if "." in text else text


def encode_models() -> bytes:
    """The body of `GET /models` in the shape of OpenRouter and FastRouter."""
    return msgspec.json.encode({"data": [_listed(model) for model in MODELS.values()]})


@lru_cache(maxsize=256)
def _decimal(text: str) -> Decimal:
    return Decimal(text)


def _listed(model: ScriptedModel) -> dict[str, object]:
    return {
        "id": model.id,
        "canonical_slug": model.id.removesuffix(":free"),
        "name": model.name,
        "created": _CREATED,
        "description": f"A scripted model of the stand-in upstream ({model.script}).",
        "context_length": _CONTEXT_TOKENS,
        "max_completion_tokens": _COMPLETION_TOKENS,  # where FastRouter has it; OpenRouter's place is below
        "architecture": {
            "modality": "text->text",
            "input_modalities": ["text"],
            "output_modalities": ["text"],
            "tokenizer": "Other",
            "instruct_type": None,
        },
        "pricing": {
            "prompt": model.prompt_usd,
            "completion": model.completion_usd,
            "request": model.request_usd,
            "image": "0",
            "web_search": "0",
            "internal_reasoning": "0",
            "input_cache_read": model.cache_read_usd,
        },
        "top_provider": {
            "context_length": _CONTEXT_TOKENS,
            "max_completion_tokens": _COMPLETION_TOKENS,
            "is_moderated": False,
        },
        "per_request_limits": None,
        "supported_parameters": list(_PARAMETERS),
    }
