"""A model as a client on a developer's machine knows it: what it can do, its limits, and its prices per million tokens.

The names are those of the client's configuration (catalog-and-clients D.1.2), so that what a user writes there can be
laid over what a gateway says, field by field. Source: catalog-and-clients C.2, C.6.
"""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Final, Literal

from msgspec import UNSET, Struct, UnsetType, ValidationError, convert, field, to_builtins
from msgspec.json import Encoder
from msgspec.json import format as spread

Modality = Literal["text", "audio", "image", "video", "pdf"]
CONTEXT_TOKENS: Final = 128_000
COMPLETION_TOKENS: Final = 16_384
_encode: Final = Encoder(decimal_format="number").encode


class Cost(Struct, frozen=True):
    """USD per million tokens, exact. A price that is absent is unknown, which is not the same as nothing."""

    input: Decimal | UnsetType = UNSET
    output: Decimal | UnsetType = UNSET
    cache_read: Decimal | UnsetType = UNSET
    cache_write: Decimal | UnsetType = UNSET


class Limit(Struct, frozen=True):
    """Tokens; 0 is unknown."""

    context: int = CONTEXT_TOKENS
    output: int = COMPLETION_TOKENS


class Modalities(Struct, frozen=True):
    """What goes in and what comes out, in the gateway's order."""

    input: tuple[Modality, ...] = ("text",)
    output: tuple[Modality, ...] = ("text",)


class ClientModel(Struct, frozen=True, kw_only=True):
    """One model of one gateway. `release_date` is `YYYY-MM-DD` or empty; `options` go into requests as they stand."""

    id: str
    name: str
    family: str = ""
    release_date: str = ""
    attachment: bool = False
    reasoning: bool = False
    temperature: bool = False
    tool_call: bool = False
    cost: Cost = Cost()
    limit: Limit = Limit()
    options: dict[str, Any] = field(default_factory=dict)
    modalities: Modalities = Modalities()
    variants: dict[str, Any] | UnsetType = UNSET


ModelMap = Mapping[str, ClientModel]


class ConfiguredModelError(ValueError):
    """What the configuration says of a model does not fit; the text names the model and the field, not the value."""


def with_configured(models: ModelMap, configured: Mapping[str, Mapping[str, Any]]) -> dict[str, ClientModel]:
    """The gateway's models with the user's words laid over them, and those that only the user lists behind them.

    configured: model id → fields, as `provider.<id>.models` has them. Raises ConfiguredModelError. Source: C.6.
    """
    joined = dict(models)
    for model_id, fields in configured.items():
        known = joined.get(model_id) or ClientModel(id=model_id, name=model_id)
        try:
            joined[model_id] = convert(_laid_over(to_builtins(known), {**fields, "id": model_id}), ClientModel)
        except ValidationError as error:
            raise ConfiguredModelError(f"models.{model_id}: {error}") from None
    return joined


def _laid_over(below: dict[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """Objects field by field; everything else is replaced."""
    joined = dict(below)
    for name, value in above.items():
        under = joined.get(name)
        joined[name] = _laid_over(under, value) if isinstance(under, dict) and isinstance(value, Mapping) else value
    return joined


def as_json(model: ClientModel) -> bytes:
    """One line; prices are JSON numbers with the very digits they have."""
    return _encode(model)


def as_pretty_json(model: ClientModel) -> str:
    """The same over several lines, indented by two."""
    return spread(as_json(model), indent=2).decode()
