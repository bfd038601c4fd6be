from base64 import urlsafe_b64encode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tollway.wire.dialects.details import ENCRYPTED, SUMMARY, TEXT, Detail
from tollway.wire.dialects.packed_details import pack_details, unpack_details

TEXTS = st.none() | st.text(min_size=1, max_size=5)
DETAILS = st.builds(Detail, st.sampled_from([TEXT, ENCRYPTED, SUMMARY]), st.text(), TEXTS, TEXTS, TEXTS)


@given(st.lists(DETAILS, max_size=3))
def test_what_was_packed_is_unpacked(details: list[Detail]) -> None:
    assert unpack_details(pack_details(details)) == details


@given(st.text())
def test_other_texts_are_not_ours(text: str) -> None:
    assert unpack_details(text) is None


@pytest.mark.parametrize(
    "damaged",
    [b"", b"{}", b"[{}]", b'[{"kind":5}]', b'[{"kind":"odd","content":"x"}]', b"[" * 100_000, b"\xff", b"[null]"],
)
def test_what_is_damaged_is_nothing(damaged: bytes) -> None:
    assert unpack_details("tollway1." + urlsafe_b64encode(damaged).decode()) == []


@pytest.mark.parametrize("text", ["tollway1.", "tollway1.a", "tollway1.ä"])
def test_what_is_no_base64_is_nothing(text: str) -> None:
    assert unpack_details(text) == []
