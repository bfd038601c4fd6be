"""The catalog as one caller sees it: what their organization admits, and the models of custom upstreams they can call.

Source: catalog-and-clients B.6, B.7; request-path 12.8.
"""

from collections.abc import Callable
from dataclasses import dataclass

from tollway.catalog.classification import Classification
from tollway.catalog.page import page_of
from tollway.catalog.snapshot import CatalogSnapshot
from tollway.identity.caller import Caller
from tollway.identity.offered import OfferedStore, entries


@dataclass(frozen=True, slots=True)
class ModelPages:
    """`served`: what anybody may be served. `offered` None: there are no custom upstreams here."""

    served: Callable[[], CatalogSnapshot]
    classification: Classification
    offered: OfferedStore | None

    async def own(self, caller: Caller) -> bytes:
        """`{"object":"list","data":[…]}`. Raises StoreUnavailableError."""
        models = list(self.served().models.values())
        policy = caller.policy
        if policy is not None:
            kind_of = self.classification.kind_of
            models = [one for one in models if policy.admits(one.id, kind_of(one.id).required_providers)]
        if self.offered is None:
            return page_of(models, {})
        rows = await self.offered.offered(caller.user_id, caller.organization_id)
        return page_of(models, entries(rows, caller.organization_id))
