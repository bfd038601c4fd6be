"""The last look at an entry before clients see it: one that is wrong makes some of them throw the whole list away.

Source: catalog-and-clients B.1.6.
"""

from collections.abc import Mapping
from typing import Annotated, Any, Final, Literal

from msgspec import Meta, Struct, ValidationError, convert

_Texts = tuple[str, ...]
_Limit = Annotated[int, Meta(ge=1)]


class _Architecture(Struct):
    input_modalities: _Texts
    output_modalities: _Texts


class _TopProvider(Struct):
    context_length: int | None = None
    max_completion_tokens: int | None = None
    is_moderated: bool = False


class _Tools(Struct):
    included_tools: _Texts
    excluded_tools: _Texts


class _Entry(Struct):
    id: Annotated[str, Meta(min_length=1)]
    name: Annotated[str, Meta(min_length=1)]
    context_length: _Limit
    pricing: dict[str, str]
    object: Literal["model"] = "model"
    created: int = 0
    architecture: _Architecture | None = None
    top_provider: _TopProvider | None = None
    supported_parameters: _Texts | None = None
    settings: _Tools | None = None


_PROMISED: Final = frozenset({"prompt", "completion"})


def is_wellformed(entry: Mapping[str, Any]) -> bool:
    """Whether every promised field is there, and none has another type than clients expect."""
    try:
        read = convert(entry, _Entry)
    except ValidationError:
        return False
    return read.pricing.keys() >= _PROMISED
