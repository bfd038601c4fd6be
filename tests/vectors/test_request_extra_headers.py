"""Vectors HG1 to HG4 of request-path."""

import pytest

from tollway.identity.extra_headers import HeaderRule, check_extra_headers, read_extra_headers


@pytest.mark.parametrize(
    ("sets", "is_accepted"),
    [
        pytest.param(
            [
                {name: "1"}
                for name in ("Authorization", "HOST", "X-Forwarded-For", "Cookie", "CF-Ray", "Transfer-Encoding")
            ],
            False,
            id="request:HG1",
        ),
        pytest.param(
            [{"api-key": "k"}, {"X-Api-Key": "k"}, {"anthropic-version": "2023-06-01"}], True, id="request:HG2"
        ),
        pytest.param(
            [
                {"X-A": "a\r\nX: y"},
                {"a b": "1"},
                {"": "1"},
                {"X-A": "1", "x-a": "2"},
                {f"X-{number}": "1" for number in range(21)},
                {"X-A": "a" * 1_025},
            ],
            False,
            id="request:HG3",
        ),
    ],
)
def test_headers(sets: list[dict[str, str]], is_accepted: bool) -> None:
    for headers in sets:
        found = check_extra_headers(headers)
        assert found == headers if is_accepted else isinstance(found, HeaderRule), headers


@pytest.mark.parametrize(
    "plaintexts",
    [pytest.param([b'["a"]', b'{"X":null}', b'{"X":{"y":"z"}}', b"not json"], id="request:HG4")],
)
def test_what_was_decrypted(plaintexts: list[bytes]) -> None:
    for plaintext in plaintexts:
        assert read_extra_headers(plaintext) is HeaderRule.OBJECT, plaintext
