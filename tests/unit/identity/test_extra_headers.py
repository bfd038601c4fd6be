import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tollway.identity.extra_headers import HeaderRule, check_extra_headers, read_extra_headers

FORBIDDEN = [
    *("host", "content-length", "content-type", "content-encoding", "transfer-encoding", "connection", "keep-alive"),
    *("upgrade", "te", "trailer", "expect", "proxy-authorization", "proxy-authenticate", "proxy-connection"),
    *("authorization", "cookie", "set-cookie", "forwarded", "via"),
    *("x-forwarded-", "x-forwarded-host", "x-real-ip", "x-real-ip-2", "cf-", "cf-ray", "x-kilocode-mode"),
    *("x-tollway-organizationid", "proxy-anything"),
]


@pytest.mark.parametrize("name", FORBIDDEN)
def test_reserved_names_in_any_case(name: str) -> None:
    for spelled in (name, name.upper(), name.title()):
        assert check_extra_headers({"X-A": "1", spelled: "1"}) is HeaderRule.FORBIDDEN


@pytest.mark.parametrize(
    "name", ["x-authorization", "hosts", "x-forwarded", "x-cf-ray", "cfray", "accept", "!#$%&'*+.^_`|~"]
)
def test_names_that_only_look_like_them(name: str) -> None:
    assert check_extra_headers({name: "1"}) == {name: "1"}


@pytest.mark.parametrize("name", ["", "a b", "a:", ":path", "a\r\nb", "a\n", "ü", "a" * 65, "a/b", "\0"])
def test_names_that_are_no_tokens(name: str) -> None:
    assert check_extra_headers({name: "1"}) is HeaderRule.NAME


@pytest.mark.parametrize("value", ["a\r\nX: y", "a\n", "\r", "\0", "\x1b", "\x7f", "ü", "\u2028", "a" * 1_025])
def test_values_that_could_be_more_than_a_value(value: str) -> None:
    assert check_extra_headers({"X-A": value}) is HeaderRule.VALUE


def test_the_ends_of_each_range() -> None:
    most = {f"x-{number}": "" for number in range(19)} | {"n" * 64: " \t~!" + "v" * 1_020}
    assert check_extra_headers(most) == most
    assert check_extra_headers({**most, "one-more": ""}) is HeaderRule.COUNT
    assert check_extra_headers({}) == {}


def test_names_repeat_whatever_their_case() -> None:
    assert check_extra_headers({"X-A": "1", "x-a": "1"}) is HeaderRule.REPEATED
    assert read_extra_headers(b'{"X-A":"1","X-A":"2"}') is HeaderRule.OBJECT


@pytest.mark.parametrize("decoded", [None, "x", 1, [], ["a"], {"X": None}, {"X": 1}, {"X": {"y": "z"}}, {1: "x"}])
def test_anything_but_an_object_of_texts(decoded: object) -> None:
    assert check_extra_headers(decoded) is HeaderRule.OBJECT


@pytest.mark.parametrize("plaintext", [b"", b"not json", b"\xff", b"null", b'{"X":"1"', b"[" * 100_000])
def test_what_was_stored_may_be_anything(plaintext: bytes) -> None:
    assert read_extra_headers(plaintext) is HeaderRule.OBJECT


@given(st.dictionaries(st.text(max_size=10), st.text(max_size=10), max_size=4))
def test_what_is_accepted_is_one_line_each_and_still_is_when_it_is_used(headers: dict[str, str]) -> None:
    found = check_extra_headers(headers)
    if isinstance(found, dict):
        assert found == headers
        assert read_extra_headers(json.dumps(found).encode()) == found
        lines = "".join(f"{name}: {value}\r\n" for name, value in found.items())
        assert lines.isascii()
        assert len(lines.splitlines()) == len(headers)
    else:
        assert read_extra_headers(json.dumps(headers).encode()) is found
