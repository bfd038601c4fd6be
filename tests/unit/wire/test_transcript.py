import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.json import encode

from tollway.wire.transcript import stored_request, stored_response

LEAVES = st.one_of(st.none(), st.booleans(), st.integers(-(2**53), 2**53), st.text(max_size=5))
TREES = st.recursive(LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner))
BODIES = st.dictionaries(st.text(max_size=5), TREES, max_size=4)


def test_what_is_kept_of_a_request() -> None:
    sent = {"a\0": [1, 2.5, None, True, {"b": "c\0d"}], "api\0Key": "sk-1", "x": {"Authorization": ["Bearer x"]}}
    kept = {"a": [1, 2.5, None, True, {"b": "cd"}], "apiKey": "***", "x": {"Authorization": "***"}}
    assert stored_request(encode(sent)) == kept


@given(BODIES)
def test_keeping_once_more_changes_nothing(body: dict[str, object]) -> None:
    kept = stored_request(encode(body))
    assert stored_request(encode(kept)) == kept
    assert "\\u0000" not in encode(kept).decode()


@given(st.text(), st.integers(0, 40))
def test_an_answer_is_kept_as_it_came_up_to_the_bound(text: str, most: int) -> None:
    kept = stored_response(text.encode("utf-8", "replace"), 200, most)
    assert len(kept.encode()) <= most
    assert text.encode("utf-8", "replace").decode().replace("\0", "").startswith(kept)
    whole = text.encode("utf-8", "replace").decode().replace("\0", "")
    assert kept == whole or len(whole.encode()) > most >= len(kept.encode()) > most - 4


def test_bytes_that_are_no_text_do_no_harm() -> None:
    assert stored_response(b"a\xff\0b\xf0\x9f", 200, 100) == "a�b�"
    assert stored_response(b"\xff" * 10, 200, 10) == "�" * 3


@pytest.mark.parametrize(("status", "kept"), [(200, "see sk-0123456789ab"), (401, "see sk-***"), (500, "see sk-***")])
def test_keys_in_errors_are_masked(status: int, kept: str) -> None:
    assert stored_response(b"see sk-0123456789ab", status, 100) == kept
