from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tollway.wire.dialects.details import ANTHROPIC, OBSCURED, OPENAI, XAI, Detail, details_of, written_detail

WORDS = st.none() | st.sampled_from(["a", "b"])
DETAILS = st.builds(
    Detail,
    kind=st.sampled_from(["reasoning.text", "reasoning.encrypted", "reasoning.summary"]),
    content=st.sampled_from(["", "x"]),
    format=st.none() | st.sampled_from([ANTHROPIC, OPENAI, XAI]),
    signature=WORDS,
    id=WORDS,
    index=st.none() | st.integers(0, 3),
)


@given(st.lists(DETAILS, max_size=4), st.booleans())
def test_what_was_written_is_read_again(details: list[Detail], is_legacy: bool) -> None:
    """Also by way of an old client, who gets the plain format under another name and sends that one back."""
    written = [written_detail(one, is_legacy) for one in details]
    assert details_of({"reasoning_details": written}, is_legacy) == details
    if is_legacy:
        assert all(one.get("format") != OPENAI for one in written)


def test_only_old_clients_mean_the_plain_format() -> None:
    holder = {"reasoning_details": [{"type": "reasoning.text", "text": "x", "format": OBSCURED}]}
    assert details_of(holder)[0].format == OBSCURED
    assert details_of(holder, is_legacy=True)[0].format == OPENAI


@pytest.mark.parametrize(
    "odd", [None, "x", {}, [None], [[]], [{}], [{"type": "reasoning.other"}], [{"type": None}], [{"type": ["x"]}]]
)
def test_what_is_no_detail(odd: Any) -> None:
    assert details_of({"reasoning_details": odd, "reasoning": "plain"}) == []


def test_members_of_another_type_count_as_absent() -> None:
    odd = {"type": "reasoning.text", "text": 1, "signature": 2, "id": [], "format": {}, "index": True}
    assert details_of({"reasoning_details": [odd]}) == [Detail("reasoning.text")]


def test_members_are_in_this_order() -> None:
    written = written_detail(Detail("reasoning.text", "t", ANTHROPIC, "s", "i", 0))
    assert list(written) == ["type", "text", "signature", "index", "id", "format"]
