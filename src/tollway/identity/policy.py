"""Which models and inference providers a request may use, by its caller's organization, key and its model. Pure.

Lists are compared by the model's full id and by its normalised id (up to the first `:`), case-sensitively; the only
wildcard is a whole namespace, `vendor/*`. Where the operator says so a provider's namespace means what it serves, too,
for catalog and requests alike. Source: request-path 9.6, 9.9, 9.13; catalog-and-clients B.7; README, decision 2.
"""

from collections.abc import Iterable, Set
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

from tollway.identity.organization import ENTERPRISE, OrganizationSettings

POLICIES_KEPT: Final = 1_000


@dataclass(frozen=True, slots=True)
class OrganizationPolicy:
    """What an organization's plan and settings come to. An empty list restricts nothing."""

    allowed_models: frozenset[str]
    denied_models: frozenset[str]
    allowed_providers: tuple[str, ...]
    denied_providers: tuple[str, ...]
    data_collection: str | None

    def admits(self, model_id: str, required_providers: Iterable[str] = (), serving: Iterable[str] = ()) -> bool:
        """Whether members may use the model (its lower-cased full id), which needs all of `required_providers`.
        `serving`: providers whose namespaces allow it as well, because they serve it."""
        if not allows(self.allowed_models, model_id, serving):
            return False
        if self.denied_models and is_named(model_id, self.denied_models):
            return False
        required = frozenset(required_providers)
        if self.allowed_providers and not required.issubset(self.allowed_providers):
            return False
        return required.isdisjoint(self.denied_providers)

    @property
    def provider_config(self) -> dict[str, Any] | None:
        """The `provider` object that replaces the caller's, anew each time; None leaves theirs as it is."""
        config: dict[str, Any] = {}
        if self.allowed_providers:
            config["only"] = list(self.allowed_providers)
        if self.denied_providers:
            config["ignore"] = list(self.denied_providers)
        if self.data_collection:
            config["data_collection"] = self.data_collection
        return config or None


@lru_cache(maxsize=POLICIES_KEPT)  # all members of an organization share one
def policy_of(plan: str, settings: OrganizationSettings) -> OrganizationPolicy | None:
    """The policy, or None where nothing is restricted: such callers are not looked at any further."""
    data_collection = settings.data_collection
    if plan == ENTERPRISE:
        policy = OrganizationPolicy(
            frozenset(settings.model_allow_list),
            frozenset(settings.model_deny_list),
            settings.provider_allow_list,
            settings.provider_deny_list,
            data_collection,
        )
    else:
        policy = OrganizationPolicy(frozenset(), frozenset(), (), (), data_collection)
    return None if policy == _RESTRICTS_NOTHING else policy


_RESTRICTS_NOTHING: Final = OrganizationPolicy(frozenset(), frozenset(), (), (), None)


def allows(allowed: Set[str], model_id: str, serving: Iterable[str] = ()) -> bool:
    """Whether an allow-list has the model, or the namespace of one of those `serving` it. An empty list restricts
    nothing."""
    return not allowed or is_named(model_id, allowed) or any(f"{slug}/*" in allowed for slug in serving)


def is_named(model_id: str, entries: Set[str]) -> bool:
    """Whether one of the entries means the model: itself, all its variants, or its namespace."""
    normal_id = model_id.partition(":")[0]
    return model_id in entries or normal_id in entries or f"{normal_id.partition('/')[0]}/*" in entries


def forbids_collection(provider: object) -> bool:
    """Whether a request's `provider` value keeps what is sent from being collected. `zdr` counts by JavaScript's idea
    of truth, in which empty lists and objects are true."""
    if not isinstance(provider, dict):
        return False
    zdr = provider.get("zdr")
    return provider.get("data_collection") == "deny" or bool(zdr) or isinstance(zdr, dict | list)
