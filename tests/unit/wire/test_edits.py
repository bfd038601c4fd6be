import copy
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from tollway.wire.edits import changed_at, each, without

NAMES = st.sampled_from(["a", "b", "c"])
VALUES: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.integers() | NAMES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner)
)
PATHS = st.lists(NAMES, max_size=3).map(tuple)


def same(value: Any) -> Any:
    return value


@given(VALUES, st.sets(NAMES))
def test_without(value: Any, names: set[str]) -> None:
    before = copy.deepcopy(value)
    after = without(value, names)
    assert value == before
    if not isinstance(value, dict) or not names & set(value):
        assert after is value
    else:
        assert after == {name: member for name, member in value.items() if name not in names}


@given(VALUES, PATHS)
def test_a_change_at_a_path(value: Any, path: tuple[str, ...]) -> None:
    before, seen = copy.deepcopy(value), []

    def change(found: Any) -> Any:
        seen.append(found)
        return "changed"

    after = changed_at(value, path, change)
    assert value == before
    assert changed_at(value, path, same) is value
    if not seen:
        assert after is value
        return
    for name in path:
        after = after[name]
    assert after == "changed"


def test_only_what_lies_on_the_path_is_copied() -> None:
    tree = {"a": {"b": 1}, "other": {"b": 1}}
    changed = changed_at(tree, ("a", "b"), lambda _: 2)
    assert changed == {"a": {"b": 2}, "other": {"b": 1}}
    assert list(changed) == ["a", "other"]
    assert changed["other"] is tree["other"]
    assert tree["a"] == {"b": 1}


@given(st.dictionaries(NAMES, VALUES))
def test_each(body: dict[str, Any]) -> None:
    before = copy.deepcopy(body)
    assert each(body, "a", same) is body
    changed = each(body, "a", lambda _: "changed")
    assert body == before
    if not isinstance(body.get("a"), list) or not body["a"]:
        assert changed is body
    else:
        assert changed == {**body, "a": ["changed"] * len(body["a"])}
