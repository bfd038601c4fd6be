import json

from hypothesis import given
from hypothesis import strategies as st

from servers.feeds import card, provider
from tollway.catalog.feed.building import NOBODY, build_providers, normalised, policy_index, sort_key
from tollway.catalog.feed.reading import read_cards, read_directory
from tollway.catalog.feed.shapes import Card, DirectoryEntry
from tollway.catalog.preset import HostedModel

AT = "2026-11-20T12:00:00.000Z"


def directory(*slugs: str) -> tuple[DirectoryEntry, ...]:
    return read_directory(json.dumps([provider(slug) for slug in slugs]).encode()).entries


def cards(*slugs: str) -> tuple[Card, ...]:
    return read_cards(json.dumps({"data": {"models": [card(slug) for slug in slugs]}}).encode()).entries


def hosted(public_id: str, *providers: str, is_enabled: bool = True) -> HostedModel:
    return HostedModel(public_id, "inside", "g", 1, 1, is_enabled, (), providers)


def test_counts_are_of_what_is_left_and_models_count_once_for_each_provider() -> None:
    built = build_providers(directory("b", "a", "none"), {"a": cards("x/y"), "b": cards("x/y", "x/z")}, (), {}, AT)
    assert [one.slug for one in built.providers] == ["a", "b"]
    assert (built.total_providers, built.total_models, built.generated_at) == (2, 3, AT)


def test_a_hosted_model_joins_its_providers_but_gives_way_to_a_card_of_theirs() -> None:
    models = (hosted("x/h:free", "a", "b"), hosted("x/off", "a", is_enabled=False), hosted("x/nowhere"))
    built = build_providers(directory("a", "b"), {"a": cards("x/y"), "b": cards("x/h")}, models, {}, AT)
    a, b = built.providers
    assert [one.slug for one in a.models] == ["x/y", "x/h"]
    assert [one.author for one in b.models] == ["x"]
    assert "inside" not in repr(built)


def test_providers_that_only_hosted_models_know_have_a_name() -> None:
    built = build_providers((), {}, (hosted("m", "core", "dark"),), {"core": "CoRe"}, AT)
    assert [(one.slug, one.name) for one in built.providers] == [("core", "CoRe"), ("dark", "Dark")]


def test_the_index_says_who_serves_a_model_in_any_variant() -> None:
    built = build_providers(directory("a", "b"), {"a": cards("X/Y:free"), "b": cards("X/Y", "x/z")}, (), {}, AT)
    index = policy_index(built)
    assert index["x/y"] == {"a", "b"}
    assert index.get("x/none", NOBODY) == frozenset()


@given(st.lists(st.sampled_from(["a", "b", "c", "d"]), unique=True), st.permutations(["x/1", "x/2:free", "x/3"]))
def test_the_order_of_the_sources_does_not_matter(slugs: list[str], models: list[str]) -> None:
    built = build_providers(directory(*slugs), {slug: cards(*models) for slug in slugs}, (), {}, AT)
    again = build_providers(directory(*sorted(slugs)), {slug: cards(*sorted(models)) for slug in slugs}, (), {}, AT)
    assert built == again


@given(st.text(), st.text())
def test_names_have_one_order(one: str, other: str) -> None:
    assert (sort_key(one) == sort_key(other)) == (one == other)


@given(st.text())
def test_normalising_twice_changes_nothing(text: str) -> None:
    assert normalised(normalised(text)) == normalised(text)
