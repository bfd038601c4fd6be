"""The catalog as one caller sees it: what their organization admits, and the models of custom upstreams they can call.

Source: catalog-and-clients B.6, B.7; request-path 12.8.
"""

from collections.abc import Callable
from dataclasses import dataclass

from msgspec.json import encode

from tollway.catalog.classification import Classification
from tollway.catalog.listing import Listed, Listing, page_of
from tollway.catalog.wellformed import is_wellformed
from tollway.identity.caller import Caller
from tollway.identity.offered import OfferedStore, entries
from tollway.identity.policy import OrganizationPolicy


@dataclass(frozen=True, slots=True)
class ModelPages:
    """`listing`: what everybody sees. `offered` None: there are no custom upstreams here. `serving`: model → inference
    providers whose namespaces allow it, the same as on the request path."""

    listing: Callable[[], Listing]
    classification: Classification
    offered: OfferedStore | None
    serving: Callable[[str], frozenset[str]]

    async def own(self, caller: Caller) -> bytes:
        """`{"object":"list","data":[…]}`. Raises StoreUnavailableError."""
        models = self.admitted(caller.policy)
        if self.offered is None:
            return page_of(one.text for one in models)
        rows = await self.offered.offered(caller.user_id, caller.organization_id)
        more = {id_: one for id_, one in entries(rows, caller.organization_id).items() if is_wellformed(one)}
        # a model that one of them is called like gives way, because no request reaches it
        return page_of([*(one.text for one in models if one.id not in more), *(encode(one) for one in more.values())])

    def admitted(self, policy: OrganizationPolicy | None) -> tuple[Listed, ...]:
        """What the organization allows; an auto model only with every model that it may stand for."""
        listed = self.listing().entries
        if policy is None:
            return listed
        return tuple(one for one in listed if all(self._admits(policy, id_) for id_ in one.targets or (one.id,)))

    def _admits(self, policy: OrganizationPolicy, model_id: str) -> bool:
        return policy.admits(model_id, self.classification.kind_of(model_id).required_providers, self.serving(model_id))
