"""Models of custom upstreams as catalogs show them, and what storage must read for it. Pure.

Nothing here is secret: neither addresses nor sealed columns are read for a catalog. Source: request-path 12.8,
catalog-and-clients B.6, E.4.
"""

from collections.abc import Iterable, Iterator
from typing import Any, Final, Protocol

from msgspec import Struct

from tollway.identity.owned import Owner, OwnerKind
from tollway.identity.upstream_models import UpstreamModel

# What is assumed of models whose owner says nothing about them.
CONTEXT_LENGTH: Final = 200_000
COMPLETION_TOKENS_MAX: Final = 32_000

_PARAMETERS: Final = ("max_tokens", "temperature", "tools")
_REASONING: Final = ("reasoning", "include_reasoning")


class OfferedUpstream(Struct, frozen=True):
    """An enabled upstream without its address and secrets."""

    owner: Owner
    provider_id: str
    display_name: str
    models: tuple[UpstreamModel, ...]


class OfferedStore(Protocol):
    """Raises StoreUnavailableError."""

    async def offered(self, user_id: str, organization_id: str | None) -> tuple[OfferedUpstream, ...]:
        """The organization's; without one the user's own, then those of all organizations they belong to, by name of
        organization and then by provider id. Whoever calls has checked the membership in `organization_id`."""
        ...


def listed(upstreams: Iterable[OfferedUpstream]) -> list[dict[str, Any]]:
    """One entry per model and owner, for those who choose among all they might use. Source: request-path 12.8.1."""
    return [
        {
            "id": _id(upstream, model),
            "name": model.name,
            "supportsVision": model.supports_vision,
            "isPreferred": False,
            "owner": _owner(upstream.owner),
        }
        for upstream, model in _models(upstreams)
    ]


def entries(upstreams: Iterable[OfferedUpstream], organization_id: str | None) -> dict[str, dict[str, Any]]:
    """Entries of the wire catalog by id: only what can be called as things stand, with this organization or with none.
    Source: request-path 12.8.5, catalog-and-clients B.6.2."""
    callable_ = Owner(OwnerKind.ORGANIZATION, organization_id) if organization_id else None
    found: dict[str, dict[str, Any]] = {}
    for upstream, model in _models(upstreams):
        if upstream.owner == callable_ or (callable_ is None and upstream.owner.kind is OwnerKind.USER):
            found.setdefault(_id(upstream, model).lower(), _entry(upstream, model))
    return found


def _models(upstreams: Iterable[OfferedUpstream]) -> Iterator[tuple[OfferedUpstream, UpstreamModel]]:
    return ((upstream, model) for upstream in upstreams for model in upstream.models)


def _entry(upstream: OfferedUpstream, model: UpstreamModel) -> dict[str, Any]:
    context = model.context_length or CONTEXT_LENGTH
    return {
        "id": _id(upstream, model),
        "object": "model",
        "owned_by": upstream.provider_id,
        "name": model.name,
        "created": 0,
        "context_length": context,
        "architecture": {
            "modality": "text+image->text" if model.supports_vision else "text->text",
            "input_modalities": ["text", "image"] if model.supports_vision else ["text"],
            "output_modalities": ["text"],
            "tokenizer": "Other",
        },
        "pricing": {"prompt": "0", "completion": "0", "request": "0", "image": "0"},
        "top_provider": {
            "context_length": context,
            "max_completion_tokens": model.completion_tokens_max or COMPLETION_TOKENS_MAX,
            "is_moderated": False,
        },
        "supported_parameters": [*_PARAMETERS, *(_REASONING if model.supports_reasoning else ())],
        "owner": _owner(upstream.owner),
    }


def _id(upstream: OfferedUpstream, model: UpstreamModel) -> str:
    return f"{upstream.provider_id}/{model.id}"


def _owner(owner: Owner) -> dict[str, str | None]:
    is_organization = owner.kind is OwnerKind.ORGANIZATION
    return {"type": owner.kind.value, "organizationId": owner.id if is_organization else None}
