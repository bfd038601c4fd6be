import asyncio
import json
from dataclasses import replace
from typing import Any

from tollway.admin.model_page import AssignedLlm, ModelPages
from tollway.catalog.classification import Classification
from tollway.catalog.listing import Known, Listing, list_models
from tollway.gateway.services import nobody
from tollway.identity.caller import Caller
from tollway.identity.offered import OfferedUpstream
from tollway.identity.owned import Owner, OwnerKind
from tollway.identity.policy import OrganizationPolicy
from tollway.identity.upstream_models import UpstreamModel
from unit.gateway.fakes import CALLER, PRESET, model

KINDS = Classification(PRESET)
SERVED = (model(id_="acme/m"), model(id_="vendor/name"))
LISTING = list_models(Known(SERVED, None, (), ()), type(PRESET)(), KINDS.kind_of, 0)
POLICY = OrganizationPolicy(frozenset({"vendor/*"}), frozenset(), (), (), None)


class Offered:
    """Implements OfferedStore; remembers who asked."""

    def __init__(self, *upstreams: OfferedUpstream) -> None:
        self.upstreams = upstreams
        self.asked: list[tuple[str, str | None]] = []

    async def offered(self, user_id: str, organization_id: str | None) -> tuple[OfferedUpstream, ...]:
        self.asked.append((user_id, organization_id))
        return self.upstreams


class Assigned:
    """Implements AssignedLlms."""

    async def assigned(self, organization_id: str) -> tuple[AssignedLlm, ...]:
        assert organization_id == "org"
        return (AssignedLlm("inner/llm", "LLM", 10, 5),)


def offered(name: str, owner: Owner) -> OfferedUpstream:
    return OfferedUpstream(owner, name, name, (UpstreamModel("m", "M"),))


def ids(caller: Caller, store: Offered | None, llms: Assigned | None = None) -> list[str]:
    pages = ModelPages(lambda: LISTING, KINDS, store, nobody, llms)
    page: dict[str, Any] = json.loads(asyncio.run(pages.own(caller)))
    return [entry["id"] for entry in page["data"]]


def test_built_in_models_come_first_and_one_that_is_shadowed_gives_way() -> None:
    mine = Owner(OwnerKind.USER, CALLER.user_id)
    store = Offered(offered("zeta", mine), offered("acme", mine))
    assert ids(CALLER, store) == ["vendor/name", "zeta/m", "acme/m"]
    assert store.asked == [(CALLER.user_id, None)]


def test_an_organization_sees_what_it_admits_and_its_own() -> None:
    member = replace(CALLER, organization_id="org", policy=POLICY)
    store = Offered(offered("beta", Owner(OwnerKind.ORGANIZATION, "org")))
    assert ids(member, store, Assigned()) == ["vendor/name", "inner/llm", "beta/m"]
    assert store.asked == [(CALLER.user_id, "org")]
    assert ids(CALLER, None, Assigned()) == ["acme/m", "vendor/name"]


def test_a_key_for_some_models_sees_these_alone() -> None:
    """Of what its organization admits, and of what is its owner's own."""
    key = replace(CALLER, key_models=frozenset({"acme/*", "inner/llm"}))
    assert ids(key, None) == ["acme/m"]
    member = replace(key, organization_id="org", policy=POLICY)
    store = Offered(offered("beta", Owner(OwnerKind.ORGANIZATION, "org")))
    assert ids(member, store, Assigned()) == ["inner/llm"]


def test_an_entry_that_clients_trip_over_is_left_out_here_too() -> None:
    broken = OfferedUpstream(Owner(OwnerKind.USER, CALLER.user_id), "beta", "B", (UpstreamModel("m", ""),))
    assert ids(CALLER, Offered(broken)) == ["acme/m", "vendor/name"]


def test_without_any_it_is_the_public_page() -> None:
    pages = ModelPages(lambda: LISTING, KINDS, None, nobody)
    assert asyncio.run(pages.own(CALLER)) == LISTING.page()
    assert asyncio.run(ModelPages(lambda: Listing(()), KINDS, None, nobody).own(CALLER)) == Listing(()).page()
