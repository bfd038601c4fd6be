import json
from dataclasses import replace
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs
from msgspec.json import decode

from servers.feeds import model as fed
from tollway.catalog.classification import PAID, Classification, ModelKind
from tollway.catalog.feed.shapes import FeedModel
from tollway.catalog.listing import Known, Listing, decorated, list_models, page_of, preferred_indexes
from tollway.catalog.model import FREE, Model, Offer
from tollway.catalog.preset import AutoModel, AutoTarget, HostedModel, Preset, ToolSettings
from tollway.storage.presets import load_preset
from unit.gateway.fakes import model

KILO = load_preset("kilo")
NOTHING = Known((), None, (), ())


def feed(*ids: str, **more: Any) -> dict[str, FeedModel]:
    return {id_: decode(json.dumps(fed(id_, **more)), type=FeedModel) for id_ in ids}


def served(id_: str, provider: str = "openrouter", version: str = "openrouter/x") -> Model:
    made = model(id_=id_)
    return replace(made, offers=(Offer(provider, id_, replace(FREE, version=version)),))


def listing(known: Known, preset: Preset = Preset()) -> Listing:  # noqa: B008  (a value)
    return list_models(known, preset, Classification(preset).kind_of, 0)


def ids(known: Known, preset: Preset = Preset()) -> list[str]:  # noqa: B008  (a value)
    return [one.id for one in listing(known, preset).entries]


def entry(found: Listing, id_: str) -> dict[str, Any]:
    (one,) = [json.loads(one.text) for one in found.entries if one.id == id_]
    return dict(one)


def test_without_a_feed_it_is_what_is_served() -> None:
    known = structs.replace(NOTHING, served=(served("b/b"), served("a/a", "openai")))
    assert ids(known) == ["b/b", "a/a"]
    assert ids(NOTHING) == []
    assert listing(NOTHING).page() == page_of(()) == b'{"object":"list","data":[]}'


def test_with_one_its_order_counts_and_what_it_has_lost_is_gone() -> None:
    known = Known(
        served=(served("old/gone"), served("a/a"), served("other/one", "openai")),
        feed=feed("Z/z", "a/a"),
        fed={"openrouter"},
        hosted_at=(),
    )
    assert ids(known) == ["z/z", "a/a", "other/one"]
    assert entry(listing(known), "z/z")["id"] == "Z/z"


def test_the_operators_own_model_takes_the_place_of_the_feeds() -> None:
    own = served("a/a", "openrouter", "settings/a/a@12345678")
    known = Known((own,), feed("b/b", "a/a", "c/c"), {"openrouter"}, ())
    assert ids(known) == ["b/b", "a/a", "c/c"]
    assert entry(listing(known), "a/a")["context_length"] == own.context_length
    hosted = Preset(hosted_models=(HostedModel("a/a", "x", "openrouter", 5, 5),))
    assert entry(listing(structs.replace(known, hosted_at={"openrouter"}), hosted), "a/a")["name"] != "a/a"


def test_hosted_models_are_listed_where_their_gateway_is_configured() -> None:
    preset = Preset(hosted_models=(HostedModel("a/a", "x", "gate", 5, 5), HostedModel("b/b", "x", "off", 5, 5)))
    assert ids(structs.replace(NOTHING, hosted_at={"gate"}), preset) == ["a/a"]
    price = served("a/a", "gate", "settings/a/a@hosted")
    assert ids(structs.replace(NOTHING, served=(price,), hosted_at={"gate"}), preset) == ["a/a"]


def test_who_may_train_is_said_of_all_variants() -> None:
    found = listing(Known((), feed("a/a:free", "b/b"), (), (), frozenset({"a/a"})))
    assert entry(found, "a/a:free")["mayTrainOnYourPrompts"] is True
    assert "mayTrainOnYourPrompts" not in entry(found, "b/b")


def test_tools_of_families() -> None:
    found = listing(
        Known((), feed("openai/x", "minimax/x", "z-ai/x", "google/gemini-x", "google/x", "x/x"), (), ()), KILO
    )
    assert entry(found, "openai/x")["settings"] == {
        "included_tools": ["apply_patch"],
        "excluded_tools": ["apply_diff", "delete_file", "edit_file", "write_to_file"],
    }
    assert entry(found, "minimax/x")["settings"]["included_tools"] == ["search_and_replace"]
    for id_ in ("z-ai/x", "google/gemini-x"):
        assert entry(found, id_)["versioned_settings"] == {
            "4.146.0": {"included_tools": ["write_file", "edit_file"], "excluded_tools": ["apply_diff"]}
        }
    for id_ in ("google/x", "x/x"):
        assert not {"settings", "versioned_settings"} & entry(found, id_).keys()


def test_of_several_tool_rules_the_first_counts() -> None:
    rules = (
        ToolSettings(("a/",), ("one",)),
        ToolSettings(("a/b",), ("two",)),
        ToolSettings(("a/",), ("new",), (), "2"),
    )
    found = listing(Known((), feed("a/b"), (), ()), Preset(tool_settings=rules))
    assert entry(found, "a/b")["settings"]["included_tools"] == ["one"]
    assert entry(found, "a/b")["versioned_settings"]["2"]["included_tools"] == ["new"]


def test_an_auto_model_carries_what_it_stands_for() -> None:
    auto = AutoModel("K/Auto", AutoTarget("V/One"), {"plan": AutoTarget("v/two"), "code": AutoTarget("v/one")})
    (one,) = listing(NOTHING, Preset(auto_models=(auto,))).entries
    assert (one.id, one.targets) == ("k/auto", ("v/one", "v/two"))
    assert preferred_indexes(Preset(auto_models=(auto,), preferred_models=("a", "K/Auto"))) == {"a": 0, "k/auto": -1}


def test_ids_are_unique_whatever_the_sources_say() -> None:
    preset = Preset(auto_models=(AutoModel("a/a", AutoTarget("v/one")),))
    assert ids(Known((), feed("a/A", "a/a"), (), ()), preset) == ["a/a"]


NAMES = st.text(min_size=1, max_size=8)
FREE_KIND = ModelKind(is_free=True)


@given(NAMES, st.booleans(), st.booleans(), st.integers(0, 10**9))
def test_decorating_twice_changes_nothing(name: str, is_free: bool, is_preferred: bool, created: int) -> None:
    kind = FREE_KIND if is_free else PAID
    once = decorated(name, kind, created, 10**9, is_preferred=is_preferred)
    assert decorated(once, kind, created, 10**9, is_preferred=is_preferred) == once
    assert once.startswith(name)


@given(st.permutations([f"v/{letter}" for letter in "abcdef"]))
def test_what_is_not_preferred_keeps_its_order(order: list[str]) -> None:
    found = ids(Known((), feed(*order), (), ()), Preset(preferred_models=("v/c", "v/a")))
    assert found == ["v/c", "v/a", *(one for one in order if one not in ("v/c", "v/a"))]
