"""Which inference providers serve each of the second gateway's models: the tags of their endpoints, in its order.

Source: request-path 8.2.1; the form is that in which the gateway's own list is recorded.
"""

from collections.abc import Mapping
from typing import Final, TypeAlias

from msgspec import Struct, ValidationError
from msgspec.json import Decoder

MODELS_MAX: Final = 20_000
TAGS_MAX: Final = 100  # of one model
TEXT_CHARS_MAX: Final = 256

Endpoints: TypeAlias = Mapping[str, tuple[str, ...]]  # model id there, lower-case → tags; the caller does not edit it


class EndpointsError(ValueError):
    """It is no list of endpoints; the text says what is wrong."""


class _Endpoint(Struct):
    tag: str | None = None


class _Model(Struct):
    endpoints: list[_Endpoint]


_decode: Final = Decoder(dict[str, _Model]).decode


def read_endpoints(text: bytes) -> dict[str, tuple[str, ...]]:
    """Of `{model: {"endpoints": [{"tag": …}, …]}}`, whatever else is in it; endpoints without a tag are nobody's.

    Raises EndpointsError, also when there are more than anybody has.
    """
    try:
        models = _decode(text)
    except (ValidationError, ValueError, RecursionError) as error:
        raise EndpointsError(str(error)) from None
    if len(models) > MODELS_MAX:
        raise EndpointsError(f"more than {MODELS_MAX} models")
    return {id_.strip().lower(): _tags(id_, model) for id_, model in models.items()}


def _tags(id_: str, model: _Model) -> tuple[str, ...]:
    """Each once."""
    tags = tuple(dict.fromkeys(one.tag for one in model.endpoints if one.tag))
    if not id_.strip() or len(tags) > TAGS_MAX or any(len(text) > TEXT_CHARS_MAX for text in (id_, *tags)):
        raise EndpointsError(f"{id_[:TEXT_CHARS_MAX]!r} is not a model with up to {TAGS_MAX} tags")
    if not all(text.isprintable() for text in (id_, *tags)):
        raise EndpointsError("an id or a tag contains control characters")
    return tags
