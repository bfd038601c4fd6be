from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from tollway.catalog.defaults import (
    Defaults,
    Restricted,
    defaults_for_all,
    defaults_of_user,
    defaults_within,
)
from tollway.catalog.preset import Preset

PRESET = Preset(preferred_models=("p/one", "p/two:free", "p/three:free"), default_models=("d/one", "d/two"))
NONE = Preset()


def is_free(model: str) -> bool:
    return model.endswith(":free")


def of_organization(
    allow_list: Sequence[str] = (),
    allowed: Sequence[str] = (),
    chosen: str = "",
    there: Sequence[str] = (),
    indexed: Sequence[str] = (),
    listed: Sequence[str] = (),
) -> str | None:
    restricted = Restricted(allow_list, chosen, lambda one: not allow_list or one in allowed)
    found = defaults_within(restricted, PRESET, is_free, lambda one: one in there, indexed, listed)
    return found.defaultModel if found else None


def test_everybody_begins_with_the_first_free_model_that_is_preferred() -> None:
    assert defaults_for_all(PRESET, is_free) == Defaults("p/two:free", "p/two:free")
    assert defaults_for_all(PRESET, lambda _: False) == Defaults("d/one", "d/one")
    assert defaults_for_all(NONE, is_free) is None


def test_a_user_always_begins_with_the_same_one() -> None:
    found = {user: defaults_of_user(PRESET, is_free, user) for user in map(str, range(50))}
    assert {one.defaultModel for one in found.values() if one} == {"d/one", "d/two"}
    assert all(defaults_of_user(PRESET, is_free, user) == one for user, one in found.items())
    assert {one.defaultFreeModel for one in found.values() if one} == {"p/two:free"}
    assert defaults_of_user(NONE, is_free, "u") is None


def test_the_order_of_what_may_be_it() -> None:
    everything = ["c/c", "d/one", "l/l", "p/one", "i/i", "w/w"]
    lists = {"allow_list": ["x/*", "l/l"], "indexed": ["i/i"], "listed": ["w/w"], "chosen": "c/c"}
    for place, expected in enumerate(everything):
        left = everything[place:]
        assert of_organization(allowed=left, there=everything, **lists) == expected  # type: ignore[arg-type]
        assert of_organization(allowed=everything, there=left, **lists) == expected  # type: ignore[arg-type]
    assert of_organization(allowed=(), there=everything, **lists) is None  # type: ignore[arg-type]


def test_without_a_list_the_primary_one_needs_no_catalog() -> None:
    assert of_organization() == "d/one"
    assert of_organization(chosen="x/*", there=["d/one"]) == "d/one"


@given(st.lists(st.sampled_from(["d/one", "p/one", "p/two:free", "a/b", "a/*"]), min_size=1), st.data())
def test_what_is_given_is_allowed_and_there(allow_list: list[str], data: st.DataObject) -> None:
    ids = ["d/one", "p/one", "p/two:free", "a/b", "i/i"]
    allowed, there = (data.draw(st.lists(st.sampled_from(ids))) for _ in range(2))
    found = of_organization(allow_list, allowed, there=there, indexed=["i/i"])
    assert found is None or (found in allowed and found in there)
