import hmac
from zlib import crc32

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tollway.identity.keys import KEY_CHARS, hash_key, is_well_formed, last_four, make_key
from tollway.ids import BASE62

KEY = make_key("a" * 30)
random_texts = st.text(BASE62, min_size=30, max_size=30)


def test_a_known_key() -> None:
    assert make_key("0" * 30) == "tw_live_" + "0" * 30 + _checksum("tw_live_" + "0" * 30)
    assert make_key("0" * 30)[-6:] == "3AnbKJ"


def _checksum(text: str) -> str:
    """The checksum said differently: each of six base62 digits by its power."""
    return "".join(BASE62[crc32(text.encode()) // 62**place % 62] for place in (5, 4, 3, 2, 1, 0))


@given(random_texts)
def test_every_key_is_well_formed_and_its_checksum_independently_right(text: str) -> None:
    key = make_key(text)
    assert len(key) == KEY_CHARS == 44
    assert is_well_formed(key)
    assert key == f"tw_live_{text}{_checksum('tw_live_' + text)}"


@given(random_texts, st.integers(0, KEY_CHARS - 1), st.sampled_from(BASE62))
def test_a_typo_is_refused_without_a_look_up(text: str, place: int, typo: str) -> None:
    key = make_key(text)
    changed = key[:place] + typo + key[place + 1 :]
    assert is_well_formed(changed) is (changed == key)


@given(st.text(max_size=60))
def test_any_text_is_judged_without_an_error(text: str) -> None:
    assert not is_well_formed(text)


@pytest.mark.parametrize(
    "key",
    ["", "tw_live_", KEY + "0", KEY[:-1], f" {KEY}", "é" * 44, KEY.replace("live", "test"), KEY.upper()],
)
def test_other_shapes_are_refused(key: str) -> None:
    assert not is_well_formed(key)


@pytest.mark.parametrize("text", ["", "a" * 29, "a" * 31, "a" * 29 + "-", "a" * 29 + "é"])
def test_a_key_is_made_of_thirty_base62_characters(text: str) -> None:
    with pytest.raises(ValueError, match="30 base62"):
        make_key(text)


def test_the_hash_depends_on_the_pepper() -> None:
    key = make_key("a" * 30)
    assert hash_key(key, b"one") == hmac.digest(b"one", key.encode(), "sha256").hex()
    assert hash_key(key, b"one") != hash_key(key, b"two")
    with pytest.raises(ValueError, match="pepper"):
        hash_key(key, b"")


def test_the_end_of_a_key_may_be_shown() -> None:
    assert last_four("tw_live_abcdef") == "cdef"
