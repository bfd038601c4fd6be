import re
from math import isfinite

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tollway.wire.client_headers import (
    FRAUD_CHARS_MAX,
    FraudHeaders,
    leading_number,
    limited,
    project_id,
    read_fraud_headers,
    read_header,
    version_number,
)

EDGE = {
    b"x-forwarded-for": b"203.0.113.9",
    b"x-vercel-ip-city": b"Oslo",
    b"x-vercel-ip-country": b"NO",
    b"x-vercel-ip-latitude": b"59.9",
    b"x-vercel-ip-longitude": b"-10.7 east",
    b"x-vercel-ja4-digest": b"t13d",
    b"user-agent": b"curl/8",
}


def test_what_an_edge_of_ours_says_is_recorded() -> None:
    assert read_fraud_headers(EDGE, is_peer_trusted=True, forwarded_for="hash") == FraudHeaders(
        "hash", "Oslo", "NO", 59.9, -10.7, "t13d", "curl/8"
    )
    assert read_fraud_headers({}, is_peer_trusted=True, forwarded_for="hash") == FraudHeaders()


def test_of_anybody_else_only_the_user_agent_counts() -> None:
    found = read_fraud_headers(EDGE, is_peer_trusted=False, forwarded_for="hash")
    assert found == FraudHeaders(http_user_agent="curl/8")


def test_recorded_texts_are_cut() -> None:
    found = read_fraud_headers({b"user-agent": b"a" * 5_000}, is_peer_trusted=False, forwarded_for=None)
    assert found.http_user_agent == "a" * FRAUD_CHARS_MAX


def test_a_header_and_its_twin() -> None:
    old, new = b"x-kilocode-mode", b"x-tollway-mode"
    assert read_header({old: b"a", new: b"b"}, b"mode") == "b"
    assert read_header({old: b"a", new: b""}, b"mode") == "a"
    assert read_header({old: b""}, b"mode") == ""
    assert read_header({}, b"mode") is None
    assert read_header({old: b"\xff"}, b"mode") == "\xff"


@given(st.text(max_size=600))
def test_limiting_is_a_cut_and_a_trim(text: str) -> None:
    found = limited(text)
    assert found is None or (found == found.strip() and found in text[:500])
    assert limited(found) == found


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("1e3x", 1_000.0),
        ("-.5", -0.5),
        ("5.", 5.0),
        (" 7", 7.0),
        ("1e999", None),
        ("", None),
        (".", None),
        ("e5", None),
    ],
)
def test_numbers(text: str, number: float | None) -> None:
    assert leading_number(text) == number


@given(st.text(alphabet="0123456789.-+eE Infinityax", max_size=400))
def test_a_number_is_finite(text: str) -> None:
    number = leading_number(text)
    assert number is None or isfinite(number)
    assert isfinite(version_number(text))


def test_a_version_beyond_all_numbers_is_none() -> None:
    assert version_number("9" * 400) == 0
    assert version_number("1.2.3\u00a0x") == version_number("1.2.3")


@given(st.from_regex(r"[A-Za-z0-9._-]{1,20}", fullmatch=True), st.sampled_from(["", ".git", ".GIT"]))
def test_the_name_of_a_repository_from_either_address(name: str, ending: str) -> None:
    expected = re.sub(r"(?i)(?<=.)\.git\Z", "", name + ending)
    web, ssh = (project_id(f"{start}org/{name}{ending}") for start in ("https://host/", "git@host:"))
    assert web == ssh
    assert web in (expected, None)


def test_it_is_cut_before_it_is_trimmed() -> None:
    assert limited(500 * " " + "b") is None
    assert limited(499 * " " + "bc") == "b"


@pytest.mark.parametrize("around", [" ", "\n", "\t"])
def test_an_address_with_white_space_is_none(around: str) -> None:
    for address in ("https://host/org/repo.git", "git@host:org/repo.git"):
        assert project_id(address + around) == address + around
        assert project_id(around + address) == around + address


@given(st.text(max_size=300))
def test_a_project_is_a_part_of_what_was_sent(text: str) -> None:
    found = project_id(text)
    assert found is None or (found in text and 0 < len(found) <= 256)
