"""Vectors L-01 to L-15 of catalog-and-clients, G.5: what an organization allows, in the catalog and on the request
path, and what its clients begin with."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from servers.feeds import model
from tollway.admin.model_page import ModelPages
from tollway.admin.snapshot_reading import SnapshotReader
from tollway.billing.store import StoreUnavailableError
from tollway.catalog.classification import Classification
from tollway.catalog.defaults import Defaults, Restricted, defaults_within
from tollway.catalog.listing import Listing
from tollway.catalog.preset import AutoModel, AutoTarget, Preset
from tollway.errors import Code, Problem
from tollway.gateway.services import nobody
from tollway.gateway.stages import check_policy
from tollway.identity.organization import OrganizationSettings
from tollway.identity.policy import OrganizationPolicy, policy_of
from tollway.wire.chat import parse_chat
from unit.gateway.fakes import CALLER, body_of, exchange, services
from unit.gateway.fakes import model as served
from vectors.test_catalog_endpoints import KILO, feed, listing

SONNET, OPUS, GPT = "anthropic/claude-sonnet-4.6", "anthropic/claude-opus-4.6", "openai/gpt-5.2"
INDEX = {"z-ai/glm4.6": frozenset({"cerebras", "z-ai"})}


def by_provider(model_id: str) -> frozenset[str]:
    return INDEX.get(model_id.partition(":")[0], frozenset())


def policy(entries: Sequence[str], plan: str = "enterprise") -> OrganizationPolicy | None:
    return policy_of(plan, OrganizationSettings(model_allow_list=tuple(entries)))


def is_in_catalog(model_id: str, restricted: OrganizationPolicy | None, serving: Any = nobody) -> bool:
    pages = ModelPages(lambda: listing(feed(model(model_id)), Preset()), Classification(Preset()), None, serving)
    return [one.id for one in pages.admitted(restricted)] == [model_id]


def is_served(model_id: str, restricted: OrganizationPolicy | None, serving: Any = nobody) -> bool:
    asked = exchange()
    asked.caller, asked.model = replace(CALLER, policy=restricted), served(id_=model_id)
    asked.request, asked.kind = parse_chat(body_of()), Classification(Preset()).kind_of(model_id)
    result = check_policy.run(asked, replace(services(), serving=serving))
    if isinstance(result, Problem):
        assert result.code is Code.MODEL_NOT_ALLOWED
        return False
    return True


@pytest.mark.parametrize(
    ("entries", "model_id", "is_allowed"),
    [
        pytest.param([], GPT, True, id="catalog:L-01"),
        pytest.param(["anthropic/*"], OPUS, True, id="catalog:L-02"),
        pytest.param(["anthropic/*"], GPT, False, id="catalog:L-02-other"),
        pytest.param([GPT], f"{GPT}:free", True, id="catalog:L-03"),
        pytest.param(["z-ai/glm-5:free"], "z-ai/glm-5:free", True, id="catalog:L-04"),
        pytest.param(["z-ai/glm-5:free"], "z-ai/glm-5", False, id="catalog:L-04-plain"),
        pytest.param(["*"], "anthropic/claude-x", False, id="catalog:L-05"),
        pytest.param(["anthropic/claude-*"], "anthropic/claude-x", False, id="catalog:L-05-part"),
        pytest.param(["*/x"], "anthropic/claude-x", False, id="catalog:L-05-vendor"),
        pytest.param(["cerebras/*"], "z-ai/glm4.6", False, id="catalog:L-06-off"),
    ],
)
def test_one_predicate_for_catalog_and_requests(entries: list[str], model_id: str, is_allowed: bool) -> None:
    restricted = policy(entries)
    assert is_in_catalog(model_id, restricted) is is_served(model_id, restricted) is is_allowed


@pytest.mark.parametrize(
    ("model_id", "is_allowed"),
    [
        pytest.param("z-ai/glm4.6", True, id="catalog:L-06"),
        pytest.param("z-ai/glm4.6:free", True, id="catalog:L-06-variant"),
        pytest.param(GPT, False, id="catalog:L-07"),
    ],
)
def test_a_providers_namespace_is_what_it_serves(model_id: str, is_allowed: bool) -> None:
    restricted = policy(["cerebras/*"])
    assert is_in_catalog(model_id, restricted, by_provider) is is_allowed
    assert is_served(model_id, restricted, by_provider) is is_allowed


@pytest.mark.parametrize("_", [pytest.param(0, id="catalog:L-08")])
def test_lists_are_for_enterprises(_: int) -> None:
    restricted = policy(["openai/*"], plan="teams")
    assert is_in_catalog(OPUS, restricted)
    assert is_served(OPUS, restricted)


def auto_listing(*targets: str) -> Listing:
    modes = {str(number): AutoTarget(one) for number, one in enumerate(targets)}
    return listing(None, Preset(auto_models=(AutoModel("kilo/auto", AutoTarget(targets[0]), modes),)))


@pytest.mark.parametrize(
    ("targets", "entries", "is_shown"),
    [
        pytest.param((SONNET, OPUS), ["anthropic/*"], True, id="catalog:L-09"),
        pytest.param((SONNET, GPT), ["anthropic/*"], False, id="catalog:L-09-one-other"),
        pytest.param((SONNET, OPUS), ["kilo/*"], False, id="catalog:L-09-its-own-name"),
    ],
)
def test_an_auto_model_is_judged_by_what_it_stands_for(
    targets: tuple[str, ...], entries: list[str], is_shown: bool
) -> None:
    pages = ModelPages(lambda: auto_listing(*targets), Classification(Preset()), None, nobody)
    assert bool(pages.admitted(policy(entries))) is is_shown


@pytest.mark.parametrize("_", [pytest.param(0, id="catalog:L-10")])
def test_without_an_index_a_providers_namespace_means_nothing(_: int) -> None:
    class Away:
        newest = previous = put = None
        tries = 0

        async def newest_id(self) -> int | None:
            self.tries += 1
            raise StoreUnavailableError("away")

    async def work() -> None:
        seconds, store = [0.0], Away()
        reader = SnapshotReader(store, None, lambda: seconds[0], lambda: None)  # type: ignore[arg-type]
        for tries in (1, 2):
            seconds[0] += 2
            assert await reader.read() is None
            assert not is_served("z-ai/glm4.6", policy(["cerebras/*"]), reader.serving)
            assert store.tries == tries

    asyncio.run(work())


IDS = ("anthropic/claude-opus-4.6", "openai/gpt-5.2:free", "z-ai/glm4.6", "x-ai/grok", "kilo/thing")
ENTRIES = st.lists(st.sampled_from([*IDS, "anthropic/*", "openai/gpt-5.2", "cerebras/*", "kilo/*", "z-ai/*"]))


@pytest.mark.parametrize("_", [pytest.param(0, id="catalog:L-11")])
@given(allowed=ENTRIES, denied=ENTRIES, is_by_provider=st.booleans())
def test_what_is_listed_is_served(_: int, allowed: list[str], denied: list[str], is_by_provider: bool) -> None:
    serving = by_provider if is_by_provider else nobody
    restricted = policy_of(
        "enterprise", OrganizationSettings(model_allow_list=tuple(allowed), model_deny_list=tuple(denied))
    )
    kind_of = Classification(KILO)
    pages = ModelPages(lambda: LISTED, kind_of, None, serving)
    for one in pages.admitted(restricted):
        for id_ in one.targets or (one.id,):
            assert is_served(id_, restricted, serving)


LISTED = listing(feed(*(model(id_) for id_ in IDS)), KILO)


def defaults(
    entries: Sequence[str], default_model: str = "", catalog: Sequence[str] = (SONNET, OPUS, "x-ai/grok-code-fast-1")
) -> Defaults | None:
    restricted = policy(entries)

    def admits(id_: str) -> bool:
        return restricted is None or restricted.admits(id_)

    is_free = Classification(KILO).kind_of
    return defaults_within(
        Restricted(entries, default_model, admits),
        KILO,
        lambda id_: is_free(id_).is_free,
        set(catalog).__contains__,
        (),
        catalog,
    )


@pytest.mark.parametrize(
    ("entries", "default_model", "expected"),
    [
        pytest.param([], "openai/*", SONNET, id="catalog:L-12"),
        pytest.param(["x-ai/*"], "", "x-ai/grok-code-fast-1", id="catalog:L-13"),
        pytest.param(["nosuch/*"], "", None, id="catalog:L-14"),
        pytest.param(["gone/model"], "", None, id="catalog:L-15-alone"),
        pytest.param(["gone/model", "x-ai/*"], "", "x-ai/grok-code-fast-1", id="catalog:L-15"),
        pytest.param([], OPUS, OPUS, id="chosen"),
        pytest.param(["x-ai/*"], OPUS, "x-ai/grok-code-fast-1", id="chosen-but-not-allowed"),
        pytest.param([], "gone/model", SONNET, id="chosen-but-gone"),
    ],
)
def test_what_clients_begin_with(entries: list[str], default_model: str, expected: str | None) -> None:
    found = defaults(entries, default_model)
    assert (found.defaultModel if found else None) == expected


def test_the_free_default_is_the_first_free_one_that_is_allowed() -> None:
    free = "minimax/minimax-m2.5:free"
    found = defaults([], catalog=(SONNET, free))
    assert found == Defaults(SONNET, free)
