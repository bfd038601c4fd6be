import pytest
from hypothesis import given
from hypothesis import strategies as st

from tollway.providers.extra_headers import with_headers

REST = b" HTTP/1.1\r\nHost: a.example\r\nX-Title: Ours\r\nAuthorization: Bearer x-title: k\r\n"


def test_they_are_added() -> None:
    assert with_headers(REST, {"x-new": "1", "x-more": "2"}) == REST + b"x-new: 1\r\nx-more: 2\r\n"


def test_they_win() -> None:
    assert with_headers(REST, {"x-title": "Theirs", "authorization": "Bearer theirs"}) == (
        b" HTTP/1.1\r\nHost: a.example\r\nx-title: Theirs\r\nauthorization: Bearer theirs\r\n"
    )


@given(st.dictionaries(st.sampled_from(["x-title", "x-new", "authorization", "x", "title"]), st.just("v")))
def test_every_name_occurs_once(headers: dict[str, str]) -> None:
    first, *lines, last = with_headers(REST, headers).split(b"\r\n")
    names = [line.partition(b":")[0].lower().decode() for line in lines]
    assert (first, last) == (b" HTTP/1.1", b"")
    assert len(names) == len(set(names))
    assert set(names) == {"host", "x-title", "authorization"} | set(headers)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("x-a", "1\r\nx-evil: 1"),
        ("x-a", "1\n"),
        ("x-a", "\x00"),
        ("x-a", "ä"),
        ("x-a\r\nx-evil", "1"),
        ("x a", "1"),
        ("X-A", "1"),
        ("", "1"),
        ("host", "evil.example"),
        ("content-length", "0"),
        ("transfer-encoding", "chunked"),
        ("x-request-id", "mine"),
        ("connection", "close"),
    ],
)
def test_what_would_break_the_head(name: str, value: str) -> None:
    with pytest.raises(ValueError, match="must not be sent"):
        with_headers(REST, {name: value})
