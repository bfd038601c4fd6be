"""The public model list as it goes on the wire: OpenRouter's fields, with the few that OpenAI's clients expect."""

from collections.abc import Iterable, Mapping
from decimal import Decimal

from msgspec.json import encode

from tollway.catalog.model import Model
from tollway.catalog.snapshot import CatalogSnapshot


def models_page(snapshot: CatalogSnapshot) -> bytes:
    """`{"object":"list","data":[…]}`; prices are strings in USD per token. Source: catalog-and-clients B.2."""
    return page_of(snapshot.models.values(), {})


def page_of(models: Iterable[Model], more: Mapping[str, Mapping[str, object]]) -> bytes:
    """The same of these models, then of `more` entries by their lower-cased ids; a model that one of them is called
    like gives way, because no request reaches it."""
    return encode({"object": "list", "data": [*(_entry(one) for one in models if one.id not in more), *more.values()]})


def _entry(model: Model) -> dict[str, object]:
    price = model.offers[0].price
    return {
        "id": model.id,
        "object": "model",
        "owned_by": model.id.partition("/")[0],
        "name": model.name,
        "created": model.created,
        "context_length": model.context_length,
        "pricing": {
            "prompt": _text(price.prompt_usd),
            "completion": _text(price.completion_usd),
            "request": _text(price.request_usd),
            "image": _text(price.image_usd),
            **({"input_cache_read": _text(price.cached_usd)} if price.cached_usd is not None else {}),
            **({"input_cache_write": _text(price.cache_write_usd)} if price.cache_write_usd is not None else {}),
        },
        "top_provider": {
            "context_length": model.context_length,
            "max_completion_tokens": model.completion_tokens_max,
            "is_moderated": False,
        },
    }


def _text(price: Decimal) -> str:
    """Plain digits, no exponent, no trailing zeros."""
    text = format(price, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text
