from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace as with_fields

from tollway.catalog.model import Model, Offer
from tollway.catalog.preset import HostedModel, Preset, Split
from tollway.identity.organization import ENTERPRISE, TEAMS, OrganizationSettings
from tollway.identity.policy import OrganizationPolicy, policy_of
from tollway.routing.split import FailureRate, TrafficSplit, bucket, may_move, percentage
from unit.gateway.fakes import PRICE, model

SPLIT = Split(
    default_provider="one",
    provider="two",
    models=("Vendor/Name", "shut/a", "shut/open-b", "one/own", "free/elsewhere", "free/here", "free/dead"),
    excluded=("shut/",),
    excluded_except=("shut/open",),
    excluded_always=("one/",),
)


def hosted(public_id: str, gateway: str, is_enabled: bool = True) -> HostedModel:
    return HostedModel(public_id, "x", gateway, 1_000, 100, is_enabled)


HOSTED = (hosted("Free/Elsewhere", "third"), hosted("free/here", "one"), hosted("free/dead", "third", is_enabled=False))


def split(**changes: Any) -> TrafficSplit:
    return TrafficSplit(Preset(hosted_models=HOSTED, split=with_fields(SPLIT, **changes)))


def restricted(plan: str = ENTERPRISE, **settings: Any) -> OrganizationPolicy | None:
    return policy_of(plan, OrganizationSettings(**settings))


# who may be moved

MODELS = ["vendor/name", "shut/open-b", "free/here", "free/dead"]


def test_which_models_are_divided() -> None:
    among = [*MODELS, "other/name", "shut/a", "one/own", "free/elsewhere"]
    assert [id_ for id_ in among if split().divides(model("one", id_=id_))] == MODELS


def test_a_universal_split_asks_for_no_list() -> None:
    moved = ["vendor/name", "other/name", "shut/a"]
    among = [*moved, "one/own", "free/elsewhere"]
    everywhere = split(is_universal=True, percentage_healthy=0)
    assert [id_ for id_ in among if everywhere.divides(model("one", id_=id_))] == moved
    assert all(everywhere.takes(seed, 0) for seed in ("a", "b", "c"))


@pytest.mark.parametrize("offered", [("third",), ("two",), ("third", "one"), ("two", "one")])
def test_only_what_would_go_to_the_default_provider_is_divided(offered: tuple[str, ...]) -> None:
    for one in (split(), split(is_universal=True)):
        assert not one.divides(model(*offered))
        assert one.divides(model("one", *offered))


def test_without_exclusions_nothing_is_excluded() -> None:
    everything = split(excluded=(), excluded_except=(), excluded_always=())
    assert everything.divides(model("one", id_="one/own"))
    assert everything.divides(model("one", id_="shut/a"))


@pytest.mark.parametrize(
    "said", [{"data_collection": "deny"}, {"ignore": ["x"]}, {"ignore": "x"}, {"data_collection": "deny", "ignore": []}]
)
def test_what_callers_say_keeps_a_request_where_it_can_be_said(said: dict[str, object]) -> None:
    assert not may_move(said, None)
    assert not may_move(said, restricted(data_collection="allow"))


@pytest.mark.parametrize("said", [None, {}, {"data_collection": "allow"}, {"ignore": []}, {"zdr": True}, "deny", [1]])
def test_anything_else_may_go(said: object) -> None:
    assert may_move(said, None)
    assert may_move(said, restricted(data_collection="allow", provider_allow_list=("x",), model_deny_list=("a/b",)))


def test_what_the_organization_says_does_as_well() -> None:
    for plan in (ENTERPRISE, TEAMS):
        for said in (None, {"data_collection": "allow"}):
            assert not may_move(said, restricted(plan, data_collection="deny"))
    assert not may_move(None, restricted(provider_deny_list=("x",)))
    assert may_move(None, restricted(TEAMS, provider_deny_list=("x",)))


restrictions = st.fixed_dictionaries(
    {},
    optional={
        "data_collection": st.sampled_from(["allow", "deny"]),
        "ignore": st.lists(st.sampled_from(["x", "y"]), max_size=2),
    },
)
settings = st.builds(
    OrganizationSettings,
    data_collection=st.sampled_from([None, "allow", "deny"]),
    provider_deny_list=st.sampled_from([(), ("x",)]),
)


@given(restrictions, settings)
def test_nobodys_restriction_is_lifted_by_anothers_word(said: dict[str, object], ours: OrganizationSettings) -> None:
    policy = policy_of(ENTERPRISE, ours)
    assert may_move(said, policy) == (may_move(said, None) and may_move(None, policy))


# buckets and shares


@given(st.text(max_size=20), st.integers(0, 99), st.integers(0, 100))
def test_raising_the_percentage_never_moves_a_seed_back(seed: str, lower: int, higher: int) -> None:
    assert 0 <= bucket("two", seed) < 100
    low, high = sorted((lower, higher))
    at = {percent: split(percentage_healthy=percent).takes(seed, 0) for percent in (low, high)}
    assert at[low] <= at[high]
    assert split(percentage_healthy=low).takes(seed, 99) == at[low]


@given(st.text(max_size=20))
def test_the_ends_of_the_scale(seed: str) -> None:
    assert not split(percentage_healthy=0).takes(seed, 0)
    assert split(percentage_healthy=100).takes(seed, 0)


def test_seeds_are_spread_evenly() -> None:
    counts = [0] * 100
    for number in range(20_000):
        counts[bucket("two", f"seed-{number}")] += 1
    assert min(counts) > 120
    assert max(counts) < 280


def test_another_second_provider_has_other_buckets() -> None:
    seeds = [f"seed-{number}" for number in range(50)]
    assert [bucket("two", seed) for seed in seeds] != [bucket("three", seed) for seed in seeds]


@given(st.floats(0, 1), st.floats(0, 1))
def test_most_goes_away_only_from_a_worse_one_to_a_better_one(default: float, second: float) -> None:
    share = percentage(SPLIT, default, second)
    assert share == (90 if default > 0.5 > second else 10)


# failures


def test_a_rate_is_a_share_of_attempts_in_the_window() -> None:
    rate = FailureRate(600)
    assert rate.at(0) == 0.0
    for failed in (True, True, False, True):
        rate.count(failed, 1_000)
    rate.count(False, 1_300)
    assert [rate.at(now) for now in (1_300, 1_599, 1_600, 1_900)] == [0.6, 0.6, 0.0, 0.0]


def test_an_outage_moves_the_traffic_when_it_is_looked_at_again() -> None:
    """A figure holds for `cache_s`, so a seed changes its side once a minute at most."""
    one = split()
    assert one.percentage_at(1_000) == 10
    for _ in range(3):
        one.count("one", True, 1_001)
    one.count("one", False, 1_001)
    one.count("two", False, 1_001)
    one.count("three", True, 1_001)
    assert [one.percentage_at(now) for now in (1_059.9, 1_060, 1_119)] == [10, 90, 90]
    for _ in range(5):
        one.count("two", True, 1_061)
    assert one.percentage_at(1_120) == 10
    assert one.percentage_at(9_999) == 10


def test_it_is_over_when_the_window_is() -> None:
    one = split(cache_s=0)
    one.count("one", True, 1_000)
    assert [one.percentage_at(now) for now in (1_000, 1_590, 1_610)] == [90, 90, 10]


# what the plan is made of then


def test_moved_it_is_the_second_providers_at_the_same_price_and_the_others_are_behind() -> None:
    dear = replace(PRICE, version="dear")
    offers = (Offer("one", "renamed", dear), Offer("third", "y", PRICE))
    moved = split().moved(replace(model(), offers=offers))
    assert moved == replace(model(), offers=(Offer("two", "vendor/name", dear), *offers))


def test_what_the_second_provider_offers_itself_counts() -> None:
    mine = Offer("two", "theirs", replace(PRICE, version="own"))
    offers = (Offer("one", "x", PRICE), mine)
    moved: Model = split().moved(replace(model(), offers=offers))
    assert moved.offers == (mine, offers[0])
    assert moved.offers[0].upstream_model == "theirs"
