import pytest
from hypothesis import given
from hypothesis import strategies as st

from tollway.catalog.model import FREE, Model, Offer
from tollway.catalog.snapshot import build_snapshot


def model(id_: str, provider: str = "p", context_length: int = 1_000) -> Model:
    return Model(id_, id_.title(), context_length, 100, (Offer(provider, id_, FREE),))


@pytest.mark.parametrize(
    "asked", ["openai/gpt-5-mini", "OpenAI/GPT-5-mini", " openai/gpt-5-mini ", "gpt-5-mini", "GPT-5-Mini"]
)
def test_a_model_is_found_in_any_case_and_without_its_vendor(asked: str) -> None:
    found = build_snapshot([model("openai/gpt-5-mini"), model("openai/gpt-5")]).find(asked)
    assert found
    assert found.id == "openai/gpt-5-mini"


@pytest.mark.parametrize(
    "asked", ["", " ", "/", "openai", "openai/", "/gpt-5", "gpt", "gpt-5-mini-x", "openai/gpt-5\0"]
)
def test_what_is_not_there_is_not_found(asked: str) -> None:
    assert build_snapshot([model("openai/gpt-5")]).find(asked) is None


def test_a_bare_name_of_two_vendors_means_neither() -> None:
    snapshot = build_snapshot([model("a/story"), model("b/story")])
    assert snapshot.find("story") is None
    assert snapshot.find("b/story")


def test_a_bare_id_of_its_own_wins_over_an_alias() -> None:
    found = build_snapshot([model("a/story"), model("story")]).find("story")
    assert found
    assert found.id == "story"


def test_offers_of_one_model_are_joined_in_order() -> None:
    snapshot = build_snapshot([model("a/b", "first", 1), model("a/b", "second", 2), model("a/b", "third", 3)])
    (joined,) = snapshot.models.values()
    assert [offer.provider_id for offer in joined.offers] == ["first", "second", "third"]
    assert joined.context_length == 1
    assert snapshot.find("b") is joined


@given(
    st.lists(st.from_regex(r"\A(?:[ab]/)?[xyz]{1,2}\Z")),
    st.sampled_from(["a/x", "A/X", " x ", "X", "xy", "b/", "c/x"]),
)
def test_the_id_is_that_of_the_model_which_is_found(ids: list[str], asked: str) -> None:
    snapshot = build_snapshot(model(id_) for id_ in ids)
    found = snapshot.find(asked)
    assert snapshot.id_of(asked) == (found.id if found else asked.strip().lower())


@given(st.lists(st.from_regex(r"\A(?:[ab]/)?[xyz]{1,2}\Z")))
def test_every_model_is_found_and_no_alias_lies(ids: list[str]) -> None:
    snapshot = build_snapshot(model(id_) for id_ in ids)
    assert set(snapshot.models) == set(ids)
    assert all(found and found.id == id_ for id_ in ids for found in [snapshot.find(id_)])
    for name, id_ in snapshot.aliases.items():
        assert [one for one in set(ids) if one.rpartition("/")[2] == name] == [id_]


def test_what_nobody_here_serves_is_left_out() -> None:
    snapshot = build_snapshot([model("a/b", "p"), model("a/b", "q"), model("c/d", "q"), model("e/f", "r")])
    served = snapshot.served_by({"p", "r"})
    assert list(served.models) == ["a/b", "e/f"]
    assert served.find("b") is snapshot.find("b")
    assert served.find("d") is None
