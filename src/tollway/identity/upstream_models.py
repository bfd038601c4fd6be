"""`model_metadata` of a custom upstream: which models it has, as its owner says. Pure.

Source: request-path 12.4.4, 12.8. What is not ours in it stays as it came.
"""

from collections.abc import Iterator
from typing import Any, Final

from msgspec import Struct

ID_CHARACTERS_MAX: Final = 200


class UpstreamModel(Struct, frozen=True):
    """One model. Token counts are None where the owner says nothing."""

    id: str
    name: str
    supports_vision: bool = False
    supports_reasoning: bool = False
    context_length: int | None = None
    completion_tokens_max: int | None = None


def read_models(metadata: object) -> tuple[UpstreamModel, ...]:
    """The usable entries, each id once whatever its case; the others are skipped, never fatal."""
    seen: dict[str, UpstreamModel] = {}
    for model in _usable(metadata):
        seen.setdefault(model.id.lower(), model)
    return tuple(seen.values())


def _usable(metadata: object) -> Iterator[UpstreamModel]:
    models = metadata.get("models") if isinstance(metadata, dict) else None
    for entry in models if isinstance(models, list) else ():
        model = _read(entry) if isinstance(entry, dict) else None
        if model is not None:
            yield model


def _read(entry: dict[str, Any]) -> UpstreamModel | None:
    id_ = entry.get("id")
    if not isinstance(id_, str) or not id_.strip() or len(id_) > ID_CHARACTERS_MAX:
        return None
    name = entry.get("name")
    return UpstreamModel(
        id_,
        name if isinstance(name, str) and name.strip() else id_,
        entry.get("supportsVision") is True,
        entry.get("supportsReasoning") is True,
        _count(entry.get("context_length")),
        _count(entry.get("max_completion_tokens")),
    )


def _count(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 < value < 2**53 else None
