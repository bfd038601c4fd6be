import pytest
from hypothesis import given
from hypothesis import strategies as st

from tollway.billing.particulars import (
    NO_PARTICULARS,
    Origin,
    Particulars,
    decode_origin,
    encode_origin,
    origin_id,
    storable,
    stored_model,
)

TEXTS = st.none() | st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
ORIGINS = st.builds(Origin, *[TEXTS] * 8, *[st.none() | st.floats(-180, 180)] * 2, *[TEXTS] * 3, *[st.booleans()] * 2)


@given(ORIGINS, ORIGINS)
def test_an_origin_is_known_by_what_it_says(one: Origin, other: Origin) -> None:
    assert decode_origin(encode_origin(one)) == one
    assert (origin_id(encode_origin(one)) == origin_id(encode_origin(other))) is (
        encode_origin(one) == encode_origin(other)
    )
    assert len(origin_id(encode_origin(one))) == 32


@given(st.text(st.characters()))
def test_what_is_storable_is_utf_8_without_nul(text: str) -> None:
    stored = storable(text)
    assert stored is not None
    assert "\0" not in stored
    assert stored.encode().decode() == stored
    assert storable(stored) == stored


@pytest.mark.parametrize(
    ("text", "stored"), [(None, None), ("abc", "abc"), ("é", "é"), ("\0a\0", "a"), ("a\ud83d", "a"), ("\ud83d\0é", "é")]
)
def test_texts(text: str | None, stored: str | None) -> None:
    assert storable(text) == stored


@pytest.mark.parametrize(
    ("named", "particulars", "stored"),
    [
        ("ep-2026", NO_PARTICULARS, "ep-2026"),
        (None, NO_PARTICULARS, "giga-potato"),
        ("ep-2026", Particulars(hides_model=True), "giga-potato"),
    ],
)
def test_which_name_of_the_model_is_stored(named: str | None, particulars: Particulars, stored: str) -> None:
    assert stored_model(named, "giga-potato", particulars) == stored


@pytest.mark.parametrize(("system", "user"), [("a", None), (None, "b"), ("", ""), ("a", "b")])
def test_text_of_prompts_stays_out_of_the_journal(system: str | None, user: str | None) -> None:
    told = Particulars(b"o", "s", 1, 2, system, user, hides_model=True, rule="split")
    assert told.journaled == Particulars(b"o", "s", 1, 2, hides_model=True, rule="split")
    silent = told.journaled
    assert silent.journaled is silent
