"""The catalog as one caller sees it: what their organization and their key admit, and the models of custom upstreams
they can call.

Source: catalog-and-clients B.6, B.7; request-path 12.8.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from msgspec import Struct
from msgspec.json import encode

from tollway.catalog.classification import Classification
from tollway.catalog.entries import Entry, custom_llm_entry
from tollway.catalog.listing import Listed, Listing, page_of
from tollway.catalog.wellformed import is_wellformed
from tollway.identity.caller import NO_LIST, Caller
from tollway.identity.offered import OfferedStore, entries
from tollway.identity.policy import OrganizationPolicy, allows


class AssignedLlm(Struct, frozen=True):
    """A custom LLM that an administrator has given to an organization, as the catalog shows it: nothing is secret."""

    public_id: str
    display_name: str
    context_length: int
    completion_tokens_max: int
    supports_image_input: bool = False
    included_tools: tuple[str, ...] | None = None
    excluded_tools: tuple[str, ...] | None = None


class AssignedLlms(Protocol):
    """Raises StoreUnavailableError."""

    async def assigned(self, organization_id: str) -> tuple[AssignedLlm, ...]:
        """Those of the organization, chosen by the query, by id. Whoever calls has checked the membership."""
        ...


@dataclass(frozen=True, slots=True)
class ModelPages:
    """`listing`: what everybody sees. `offered` None: there are no custom upstreams here; `llms` None: no custom LLMs.
    `serving`: model → inference providers whose namespaces allow it, the same as on the request path."""

    listing: Callable[[], Listing]
    classification: Classification
    offered: OfferedStore | None
    serving: Callable[[str], frozenset[str]]
    llms: AssignedLlms | None = None

    async def own(self, caller: Caller) -> bytes:
        """`{"object":"list","data":[…]}`. Raises StoreUnavailableError."""
        models, of_key = self.admitted(caller.policy, caller.key_models), caller.key_models
        theirs = (await self._theirs(caller)).items()
        more = {id_: one for id_, one in theirs if is_wellformed(one) and allows(of_key, id_)}
        # a model that one of them is called like gives way, because no request reaches it
        return page_of([*(one.text for one in models if one.id not in more), *(encode(one) for one in more.values())])

    async def _theirs(self, caller: Caller) -> dict[str, Entry]:
        """By lower-cased id. What an administrator has given them, or what they own, is not subject to any list of the
        organization."""
        found: dict[str, Entry] = {}
        if self.llms is not None and caller.organization_id:
            found = {one.public_id.lower(): _entry(one) for one in await self.llms.assigned(caller.organization_id)}
        if self.offered is not None:
            rows = await self.offered.offered(caller.user_id, caller.organization_id)
            found |= entries(rows, caller.organization_id)
        return found

    def admitted(self, policy: OrganizationPolicy | None, of_key: frozenset[str] = NO_LIST) -> tuple[Listed, ...]:
        """What the organization and the list of the key allow; an auto model only with every model that it may stand
        for."""
        listed = self.listing().entries
        if policy is None and not of_key:
            return listed
        return tuple(one for one in listed if all(self.admits(policy, of_key, id_) for id_ in one.targets or (one.id,)))

    def admits(self, policy: OrganizationPolicy | None, of_key: frozenset[str], model_id: str) -> bool:
        """As on the request path. `model_id`: lower-cased."""
        serving = self.serving(model_id)
        if not allows(of_key, model_id, serving):
            return False
        required = self.classification.kind_of(model_id).required_providers
        return policy is None or policy.admits(model_id, required, serving)


def _entry(llm: AssignedLlm) -> Entry:
    return custom_llm_entry(
        llm.public_id,
        llm.display_name,
        llm.context_length,
        llm.completion_tokens_max,
        has_vision=llm.supports_image_input,
        included_tools=llm.included_tools,
        excluded_tools=llm.excluded_tools,
    )
