from hypothesis import given
from hypothesis import strategies as st

from tollway.gateway.slots import Slots


def test_all_places_or_none() -> None:
    slots = Slots()
    assert slots.take([("payer", 2), ("key", 1)]) is None
    assert slots.take([("payer", 2), ("key", 1)]) == "key"
    assert slots.take([("payer", 2)]) is None  # the refused one took nothing
    assert slots.take([("payer", 2)]) == "payer"
    slots.give_back(("payer", "key"))
    assert slots.take([("payer", 2), ("key", 1)]) is None


@given(st.lists(st.tuples(st.lists(st.sampled_from("abc"), min_size=1, max_size=2, unique=True), st.booleans())))
def test_places_given_back_are_free_again(steps: list[tuple[list[str], bool]]) -> None:
    slots, taken = Slots(), list[tuple[str, ...]]()
    for names, gives_back in steps:
        if gives_back and taken:
            slots.give_back(taken.pop())
        elif slots.take([(name, 3) for name in names]) is None:
            taken.append(tuple(names))
        for name in "abc":
            assert sum(name in one for one in taken) <= 3
    for names in taken:
        slots.give_back(names)
    assert all(slots.take([(name, 1)]) is None for name in "abc")
