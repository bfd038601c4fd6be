import pytest
from hypothesis import given
from hypothesis import strategies as st

from tollway.identity.bearer import read_bearer


@pytest.mark.parametrize("scheme", [b"Bearer", b"bearer", b"BEARER", b"bEaReR"])
def test_the_scheme_in_any_case(scheme: bytes) -> None:
    assert read_bearer(scheme + b" a.b-c_d") == "a.b-c_d"


@pytest.mark.parametrize(
    "header",
    [
        b"",
        b" ",
        b"Bearer",
        b"Bearer ",
        b"Bearer  token",
        b"Bearer token ",
        b"Bearer to ken",
        b" Bearer token",
        b"Bearer\ttoken",
        b"Basic token",
        b"Bearertoken",
        b"Bearers token",
        b"token",
        b"Bearer anonymous",
    ],
    ids=repr,
)
def test_no_token(header: bytes) -> None:
    assert read_bearer(header) == ""


@given(st.binary(max_size=100))
def test_a_token_is_what_follows_the_scheme(header: bytes) -> None:
    token = read_bearer(header)
    assert not token or header[7:] == token.encode("latin-1")
