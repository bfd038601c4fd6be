"""Which keys of their own callers can have a model served with: candidates from the stored endpoints of the model, and
the gateway that takes such keys. Pure.

Source: request-path 8.2.1, 8.2.2, 8.2.9.
"""

from collections.abc import Mapping
from typing import Final

from tollway.catalog.endpoints import Endpoints
from tollway.catalog.preset import Preset
from tollway.providers.registry import Upstream
from tollway.providers.vercel import vercel_id

NOBODY: Final[tuple[str, ...]] = ()


class KeyCandidates:
    """The inference providers a caller's key for a model could be of. What is stored is replaced whole, from time to
    time; until it was read, and while there is none of any model, the vendor decides."""

    def __init__(self, preset: Preset, endpoints: Endpoints | None = None) -> None:
        self._own_keys = preset.own_keys
        self._hosted = {hosted.public_id.lower(): hosted for hosted in preset.hosted_models}
        self._ids_there = preset.second_gateway_ids
        self._known = frozenset(preset.own_keys.provider_ids)
        self._stored: dict[str, tuple[str, ...]] = {}
        self.replace(endpoints or {})

    def replace(self, endpoints: Endpoints) -> None:
        """Take these instead. Tags that nobody may bring a key for are forgotten."""
        self._stored = {model: tuple(tag for tag in tags if tag in self._known) for model, tags in endpoints.items()}

    def of(self, model: str) -> tuple[str, ...]:
        """In the order of the endpoints. `model` is the id of a resolved model, lower-case."""
        for prefix, provider_id in self._own_keys.only.items():
            if model.startswith(prefix):
                return (provider_id,)
        if not self._stored:
            return self._inferred(model)
        id_there = vercel_id(model, self._hosted.get(model), self._ids_there.get(model, ""))
        return self._stored.get(id_there.lower(), NOBODY)

    def _inferred(self, model: str) -> tuple[str, ...]:
        own_keys = self._own_keys
        vendor, slash, _ = model.partition("/")
        provider_id = own_keys.inferred.get(vendor) if slash else None
        if provider_id is None or model.startswith(own_keys.inferred_except):
            return NOBODY
        return (provider_id,)


def gateway_for(upstreams: Mapping[str, Upstream], preferred: str) -> Upstream | None:
    """The configured upstream that callers' own keys are used at; `preferred` among several. None: there is none.

    Only one whose provider knows what to do with them: any other would ignore them, and the operator would pay.
    """
    able = [upstream for upstream in upstreams.values() if upstream.provider.takes_own_keys]
    return next((upstream for upstream in able if upstream.id == preferred), able[0] if able else None)
