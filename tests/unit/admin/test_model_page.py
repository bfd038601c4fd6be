import asyncio
import json
from dataclasses import replace
from typing import Any

from tollway.admin.model_page import ModelPages
from tollway.catalog.classification import Classification
from tollway.catalog.page import models_page
from tollway.catalog.snapshot import build_snapshot
from tollway.identity.caller import Caller
from tollway.identity.offered import OfferedUpstream
from tollway.identity.owned import Owner, OwnerKind
from tollway.identity.policy import OrganizationPolicy
from tollway.identity.upstream_models import UpstreamModel
from unit.gateway.fakes import CALLER, PRESET, model

SNAPSHOT = build_snapshot([model(id_="acme/m"), model(id_="vendor/name")])
POLICY = OrganizationPolicy(frozenset({"vendor/*"}), frozenset(), (), (), None)


class Offered:
    """Implements OfferedStore; remembers who asked."""

    def __init__(self, *upstreams: OfferedUpstream) -> None:
        self.upstreams = upstreams
        self.asked: list[tuple[str, str | None]] = []

    async def offered(self, user_id: str, organization_id: str | None) -> tuple[OfferedUpstream, ...]:
        self.asked.append((user_id, organization_id))
        return self.upstreams


def offered(name: str, owner: Owner) -> OfferedUpstream:
    return OfferedUpstream(owner, name, name, (UpstreamModel("m", "M"),))


def ids(caller: Caller, store: Offered | None) -> list[str]:
    pages = ModelPages(lambda: SNAPSHOT, Classification(PRESET), store)
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
    assert ids(member, store) == ["vendor/name", "beta/m"]
    assert store.asked == [(CALLER.user_id, "org")]


def test_without_any_it_is_the_public_page() -> None:
    pages = ModelPages(lambda: SNAPSHOT, Classification(PRESET), None)
    assert asyncio.run(pages.own(CALLER)) == models_page(SNAPSHOT)
