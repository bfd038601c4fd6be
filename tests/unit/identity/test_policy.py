from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace as with_settings

from tollway.catalog.classification import Classification
from tollway.catalog.preset import HostedModel, Preset
from tollway.identity.organization import ENTERPRISE, NO_SETTINGS, TEAMS, OrganizationSettings
from tollway.identity.policy import (
    POLICIES_KEPT,
    OrganizationPolicy,
    allows,
    forbids_collection,
    is_named,
    policy_of,
)


def hosted(id_: str, *needed: str, is_enabled: bool = True) -> HostedModel:
    return HostedModel(id_, id_, "g", 1, 1, is_enabled, inference_providers=needed)


KIND_OF = Classification(
    Preset(hosted_models=(hosted("free:x", "p", "q"), hosted("ven/free", "p", is_enabled=False)))
).kind_of

parts = st.sampled_from(["a", "b", "ven", "free", "*", "A", ""])
entries = st.builds("".join, st.lists(parts | st.sampled_from(["/", ":"]), max_size=5))
models = st.sampled_from(["a/b", "a/b:free", "ven/free", "free:x", "b", "a/b/a", "ven/a:b:free"])
providers = st.lists(st.sampled_from(["p", "q", "P", "r"]), max_size=4)
settings = st.builds(
    OrganizationSettings,
    st.lists(entries, max_size=4).map(tuple),
    providers.map(tuple),
    st.lists(entries, max_size=4).map(tuple),
    providers.map(tuple),
    st.sampled_from([None, "allow", "deny"]),
)


def made(plan: str = ENTERPRISE, **given_settings: object) -> OrganizationPolicy:
    policy = policy_of(plan, OrganizationSettings(**given_settings))
    assert policy
    return policy


def admitted(policy: OrganizationPolicy | None, model: str) -> bool:
    return policy is None or policy.admits(model, KIND_OF(model).required_providers)


# which entries mean a model


@pytest.mark.parametrize("entry", ["a/b", "a/b:free", "a/*"])
def test_a_model_is_named_by_itself_all_its_variants_or_its_namespace(entry: str) -> None:
    assert is_named("a/b:free", {entry})


@pytest.mark.parametrize(
    "entry",
    [
        "a/b:other",
        "A/b",
        "a/B:free",
        "a/b:",
        "a/b:free:x",
        "*",
        "*/*",
        "*/b",
        "a/b*",
        "a/",
        "a",
        "a/*:free",
        " a/b",
        "",
    ],
)
def test_nothing_else_names_it(entry: str) -> None:
    assert not is_named("a/b:free", {entry})


def test_an_entry_with_a_suffix_means_that_variant_only() -> None:
    assert not is_named("a/b", {"a/b:free"})
    assert is_named("free", {"free"}) == is_named("free:x", {"free"}) is True


@given(models, st.lists(entries, max_size=6))
def test_a_list_names_what_one_of_its_entries_names(model: str, listed: list[str]) -> None:
    """So no order, no double and no other entry widens it."""
    assert is_named(model, frozenset(listed)) == any(is_named(model, {entry}) for entry in listed)


@given(models, st.lists(entries, max_size=6))
def test_no_capital_names_anything(model: str, listed: list[str]) -> None:
    assert not is_named(model, frozenset(entry.upper() for entry in listed if entry.upper() != entry))


@given(models, st.lists(entries, max_size=4), st.lists(st.sampled_from(["p", "ven"]), max_size=2))
def test_an_allow_list_has_what_it_names_and_what_named_ones_serve(
    model: str, listed: list[str], serving: list[str]
) -> None:
    has = allows(frozenset(listed), model, serving)
    by_serving = any(f"{slug}/*" in listed for slug in serving)
    assert has == (not listed or is_named(model, frozenset(listed)) or by_serving)
    assert allows(frozenset(listed), model) <= has


# policies


@given(settings, models, st.randoms(use_true_random=False))
def test_order_and_doubles_mean_nothing(one: OrganizationSettings, model: str, random) -> None:
    def shuffled(listed: tuple[str, ...]) -> tuple[str, ...]:
        doubled = list(listed * 2)
        random.shuffle(doubled)
        return tuple(doubled)

    other = with_settings(
        one,
        model_allow_list=shuffled(one.model_allow_list),
        model_deny_list=shuffled(one.model_deny_list),
        provider_allow_list=shuffled(one.provider_allow_list),
        provider_deny_list=shuffled(one.provider_deny_list),
    )
    assert admitted(policy_of(ENTERPRISE, one), model) == admitted(policy_of(ENTERPRISE, other), model)


@given(settings, models, entries)
def test_an_entry_more_admits_no_more_than_itself_and_denies_no_less(
    one: OrganizationSettings, model: str, entry: str
) -> None:
    before = admitted(policy_of(ENTERPRISE, one), model)
    if one.model_allow_list and not is_named(model, {entry}):
        wider = with_settings(one, model_allow_list=(*one.model_allow_list, entry))
        assert admitted(policy_of(ENTERPRISE, wider), model) == before
    narrower = with_settings(one, model_deny_list=(*one.model_deny_list, entry))
    assert admitted(policy_of(ENTERPRISE, narrower), model) <= before


@given(settings, models)
def test_a_plan_without_lists_admits_everything(one: OrganizationSettings, model: str) -> None:
    policy = policy_of(TEAMS, one)
    assert admitted(policy, model)
    wanted = {"data_collection": one.data_collection} if one.data_collection else None
    assert (policy.provider_config if policy else None) == wanted


@given(settings)
def test_who_restricts_nothing_has_no_policy(one: OrganizationSettings) -> None:
    assert (policy_of(ENTERPRISE, one) is None) == (one == NO_SETTINGS)


def test_denied_is_denied_even_where_it_is_allowed() -> None:
    policy = made(model_allow_list=("a/*",), model_deny_list=("a/b",))
    assert policy.admits("a/c")
    assert not policy.admits("a/b")
    assert not policy.admits("a/b:free")


@pytest.mark.parametrize(
    ("given_settings", "admits"),
    [
        ({"provider_allow_list": ("p",)}, False),  # all that are required, not some
        ({"provider_allow_list": ("q", "p", "r")}, True),
        ({"provider_allow_list": ("P", "Q")}, False),
        ({"provider_deny_list": ("q",)}, False),
        ({"provider_deny_list": ("r",)}, True),
        ({"provider_allow_list": ("p", "q"), "provider_deny_list": ("p",)}, False),
    ],
)
def test_a_hosted_model_needs_all_its_providers(given_settings: dict, admits: bool) -> None:
    policy = made(**given_settings)
    assert policy.admits("free:x", KIND_OF("free:x").required_providers) is admits
    assert policy.admits("free", KIND_OF("free").required_providers)  # another model: they are looked up by the full id


def test_the_provider_object() -> None:
    policy = made(provider_allow_list=("b", "a"), provider_deny_list=("c",), data_collection="deny")
    config = policy.provider_config
    assert config == {"only": ["b", "a"], "ignore": ["c"], "data_collection": "deny"}
    config["order"] = ["x"]  # as a rule of a model would
    config["only"].append("z")
    assert policy.provider_config == {"only": ["b", "a"], "ignore": ["c"], "data_collection": "deny"}
    assert made(model_allow_list=("a/b",)).provider_config is None


def test_members_share_one() -> None:
    one, other = OrganizationSettings(("a/b",)), OrganizationSettings(("a/b",))
    assert policy_of(ENTERPRISE, one) is policy_of(ENTERPRISE, other)
    assert policy_of.cache_info().maxsize == POLICIES_KEPT
    assert replace(made(data_collection="deny")) == made(TEAMS, data_collection="deny")


# hosted models


def test_what_hosted_models_need_and_which_are_collected() -> None:
    """Those that have ended need their providers still, and collect nothing."""
    models = (hosted("a", "p", "q"), hosted("b"), hosted("c", "p", is_enabled=False))
    kinds = {model.public_id: Classification(Preset(hosted_models=models)).kind_of(model.public_id) for model in models}
    assert {id_: kind.required_providers for id_, kind in kinds.items()} == {"a": ("p", "q"), "b": (), "c": ("p",)}
    assert {id_ for id_, kind in kinds.items() if kind.is_hosted_free} == {"a", "b"}


@pytest.mark.parametrize(
    "provider",
    [{"data_collection": "deny"}, {"zdr": True}, {"zdr": 1}, {"zdr": "no"}, {"zdr": []}, {"zdr": {}}],
)
def test_collection_is_forbidden(provider: object) -> None:
    assert forbids_collection(provider)
    assert forbids_collection({"order": ["x"], "data_collection": "allow", **provider})


@pytest.mark.parametrize(
    "provider",
    [
        None,
        "deny",
        ["deny"],
        {},
        {"data_collection": "allow"},
        {"data_collection": "Deny"},
        {"data_collection": None},
        {"zdr": False},
        {"zdr": 0},
        {"zdr": ""},
        {"zdr": None},
    ],
)
def test_collection_is_not_forbidden(provider: object) -> None:
    assert not forbids_collection(provider)
