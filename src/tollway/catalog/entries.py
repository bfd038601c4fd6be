"""Entries of the wire catalog, one kind after another. Fields are OpenRouter's, with the few that OpenAI's clients
expect; prices are strings in USD per token. Source: catalog-and-clients B.2, B.3, B.5.
"""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any, Final

from msgspec import to_builtins

from tollway.catalog.feed.shapes import FeedModel
from tollway.catalog.model import Model
from tollway.catalog.preset import AutoModel, HostedModel

Entry = dict[str, Any]

HOSTED_CREATED: Final = 1_756_238_927  # unix seconds
_PARAMETERS: Final = ("max_tokens", "temperature", "tools")
_REASONING: Final = ("reasoning", "include_reasoning")
_PIECES: Final = {"request": "0", "image": "0", "web_search": "0", "internal_reasoning": "0"}
_CONTEXT_LENGTH: Final = 128_000  # of an auto model that says nothing, and whose target is not known either
_COMPLETION_TOKENS_MAX: Final = 32_768


def own_entry(model: Model) -> Entry:
    """Of a model that this deployment has a price of, and no more facts about."""
    price = model.offers[0].price
    pricing = {
        "prompt": usd_text(price.prompt_usd),
        "completion": usd_text(price.completion_usd),
        "request": usd_text(price.request_usd),
        "image": usd_text(price.image_usd),
        **({"input_cache_read": usd_text(price.cached_usd)} if price.cached_usd is not None else {}),
        **({"input_cache_write": usd_text(price.cache_write_usd)} if price.cache_write_usd is not None else {}),
    }
    return {
        **_head(model.id, model.name, model.created),
        "context_length": model.context_length,
        "pricing": pricing,
        "top_provider": _top_provider(model.context_length, model.completion_tokens_max),
    }


def feed_entry(model: FeedModel) -> Entry:
    """Of a model as the default gateway lists it; its endpoints are not for this list."""
    fields = to_builtins(model)
    fields.pop("endpoints", None)
    return {**_head(model.id, model.name, model.created), **fields}


def hosted_entry(model: HostedModel) -> Entry:
    """Of a hosted free model; what it is inside never appears."""
    return _free_entry(
        model.public_id,
        model.name or model.public_id,
        model.description or model.name or model.public_id,
        model.context_length,
        model.completion_tokens_max,
        has_vision="vision" in model.flags,
        has_prompt_cache="prompt_cache" in model.flags,
        has_reasoning="reasoning" in model.flags,
    )


def custom_llm_entry(
    public_id: str,
    display_name: str,
    context_length: int,
    completion_tokens_max: int,
    *,
    has_vision: bool,
    included_tools: Sequence[str] | None,
    excluded_tools: Sequence[str] | None,
) -> Entry:
    """Of a model that an administrator has given to an organization."""
    entry = _free_entry(
        public_id,
        display_name,
        display_name,
        context_length,
        completion_tokens_max,
        has_vision=has_vision,
        has_prompt_cache=True,
        has_reasoning=True,
    )
    settings = {"included_tools": list(included_tools or ()), "excluded_tools": list(excluded_tools or ())}
    return {**entry, "settings": settings}


def auto_entry(model: AutoModel, target: tuple[int, int] | None) -> Entry:
    """Of an auto model. `target`: context length and completion tokens of what it stands for, where it is known."""
    context, completion = target or (_CONTEXT_LENGTH, _COMPLETION_TOKENS_MAX)
    context = model.context_length or context
    return {
        **_head(model.id, model.name or model.id, 0),
        "description": model.description or model.name or model.id,
        "context_length": context,
        "architecture": {"input_modalities": ["text", "image"], "output_modalities": ["text"], "tokenizer": "Other"},
        "pricing": {"prompt": model.prompt_usd, "completion": model.completion_usd, **_PIECES},
        "top_provider": _top_provider(context, model.completion_tokens_max or completion),
        "supported_parameters": [*_PARAMETERS, *_REASONING],
    }


def _free_entry(
    id_: str,
    name: str,
    description: str,
    context_length: int,
    completion_tokens_max: int,
    *,
    has_vision: bool,
    has_prompt_cache: bool,
    has_reasoning: bool,
) -> Entry:
    return {
        **_head(id_, name, HOSTED_CREATED),
        "canonical_slug": id_,
        "hugging_face_id": "",
        "description": description,
        "context_length": context_length,
        "architecture": {
            "modality": "text+image->text" if has_vision else "text->text",
            "input_modalities": ["text", "image"] if has_vision else ["text"],
            "output_modalities": ["text"],
            "tokenizer": "Other",
            "instruct_type": None,
        },
        "pricing": {
            "prompt": "0.0000000",
            "completion": "0.0000000",
            **_PIECES,
            **({"input_cache_read": "0.00000000"} if has_prompt_cache else {}),
        },
        "top_provider": _top_provider(context_length, completion_tokens_max),
        "per_request_limits": None,
        "supported_parameters": [*_PARAMETERS, *(_REASONING if has_reasoning else ())],
        "default_parameters": {},
    }


def _head(id_: str, name: str, created: int) -> Entry:
    return {"id": id_, "object": "model", "owned_by": id_.partition("/")[0], "name": name, "created": created}


def _top_provider(context_length: int, completion_tokens_max: int) -> Entry:
    return {
        "context_length": context_length,
        "max_completion_tokens": completion_tokens_max,
        "is_moderated": False,
    }


def usd_text(price: Decimal) -> str:
    """Plain digits, no exponent, no trailing zeros."""
    text = format(price, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text
