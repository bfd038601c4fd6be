"""What people read when a gateway refuses."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tollway.client.refusal import refusal_text

KEY = "sk-or-v1-0123456789abcdef"


@pytest.mark.parametrize(
    ("status", "body", "expected"),
    [
        (402, b'{"error":{"message":"No credits.","code":402}}', "No credits."),
        (404, b'{"error":"not allowed","message":"Ask."}', "Not Found: not allowed: Ask."),
        (404, b'{"error":"not allowed"}', "Not Found: not allowed"),
        (403, b'{"error":"Forbidden"}', "Forbidden"),
        (400, b'{"message":"bad"}', "Bad Request: bad"),
        (500, b'{"error":{}}', "Internal Server Error"),
        (502, b"<html>bad</html>", "Bad Gateway"),
        (502, b"", "Bad Gateway"),
        (503, b"try later", "Service Unavailable: try later"),
        (599, b"", "Status 599"),
        (400, b'{"error":{"message":"a\\u001b[31mb"}}', "a[31mb"),
    ],
)
def test_what_is_shown(status: int, body: bytes, expected: str) -> None:
    assert refusal_text(status, body, "") == expected


def test_the_request_id_is_always_there() -> None:
    assert refusal_text(502, b"<html>", "r-1") == "Bad Gateway (request r-1)"


def test_no_key_is_shown() -> None:
    assert KEY not in refusal_text(401, b'{"error":{"message":"bad key %b"}}' % KEY.encode(), KEY)


@given(st.integers(100, 999), st.binary(max_size=300), st.text(max_size=20))
def test_nothing_raises(status: int, body: bytes, request_id: str) -> None:
    assert refusal_text(status, body, request_id)
