import pytest
from hypothesis import given
from hypothesis import strategies as st

from tollway.http.known_head import KnownHead

HEAD = b"POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: %b\r\nX-Length: 5\r\n\r\n"


def _known(head: bytes = HEAD % b"12") -> KnownHead:
    known = KnownHead()
    known.remember(head)
    return known


@given(st.integers(0, 10**12 - 1), st.binary(max_size=9))
def test_only_the_length_may_differ(length: int, body: bytes) -> None:
    head = HEAD % b"%d" % length
    assert _known().find_in(head + body) == (b"%d" % length, len(head))


@pytest.mark.parametrize(
    "other",
    [
        HEAD % b"",
        HEAD % b"-1",
        HEAD % b"+1",
        HEAD % b"1,1",
        HEAD % b"1\r\nContent-Length: 2",
        HEAD % b"1 ",
        HEAD % (b"1" * 13),
        HEAD.replace(b"/a", b"/b") % b"12",
        HEAD.replace(b"5", b"6") % b"12",
        (HEAD % b"12")[:-4],
        b"",
    ],
)
def test_anything_else_is_another_head(other: bytes) -> None:
    assert _known().find_in(other) is None


def test_before_there_is_one_and_after_it_is_forgotten_none_is_known() -> None:
    assert KnownHead().find_in(HEAD % b"12") is None
    known = _known()
    known.forget()
    assert known.find_in(HEAD % b"12") is None
    known = _known(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")  # without a length there is nothing that could differ
    assert known.find_in(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n") is None
