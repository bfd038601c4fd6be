import base64
import hmac
import json
import sys
from hashlib import sha256, sha512
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tollway.identity.caller import Refusal
from tollway.identity.tokens import (
    LIFE_SECONDS_MAX,
    TOKEN_BYTES_MAX,
    Claims,
    TokenRules,
    pepper_matches,
    read_token,
)

SECRET = b"test-secret-at-least-32-characters-long"
RULES = TokenRules(SECRET)
NOW = 1_771_718_400
HEADER = {"alg": "HS256", "typ": "JWT"}
PAYLOAD = {"kiloUserId": "user-1", "apiTokenPepper": "p1", "version": 3, "iat": NOW - 100, "exp": NOW + 100}
GONE = object()


def encoded(part: bytes) -> str:
    return base64.urlsafe_b64encode(part).rstrip(b"=").decode()


def sign(header: object, payload: object, secret: bytes = SECRET, digest: Any = sha256) -> str:
    """A token around JSON values, or around bytes as they are."""
    parts = [part if isinstance(part, bytes) else json.dumps(part).encode() for part in (header, payload)]
    text = ".".join(encoded(part) for part in parts)
    return f"{text}.{encoded(hmac.new(secret, text.encode(), digest).digest())}"


def token_with(claim: str, value: object) -> str:
    payload = {name: one for name, one in {**PAYLOAD, claim: value}.items() if one is not GONE}
    return sign(HEADER, payload)


def reason(token: str, rules: TokenRules = RULES, now: int = NOW) -> str:
    claims = read_token(token, rules, now)
    return claims.reason if isinstance(claims, Refusal) else "accepted"


def test_a_good_token() -> None:
    claims = read_token(sign(HEADER, {**PAYLOAD, "botId": "b", "tokenSource": "s"}), RULES, NOW)
    assert claims == Claims("user-1", "p1", "b", "s", NOW + 100)


@pytest.mark.parametrize(
    ("claim", "value", "expected"),
    [
        ("version", GONE, "invalid"),
        ("version", None, "invalid"),
        ("version", "3", "invalid"),
        ("version", True, "invalid"),
        ("version", 3.0, "invalid"),
        ("version", [3], "invalid"),
        ("version", 2, "version"),
        ("version", 4, "version"),
        ("version", -3, "version"),
        ("version", 10**300, "version"),
        ("kiloUserId", GONE, "invalid"),
        ("kiloUserId", None, "invalid"),
        ("kiloUserId", "", "invalid"),
        ("kiloUserId", 1, "invalid"),
        ("kiloUserId", ["user-1"], "invalid"),
        ("kiloUserId", "a\0b", "invalid"),
        ("kiloUserId", "\ud800", "invalid"),
        ("kiloUserId", "ü" * 300, "accepted"),
        ("exp", GONE, "invalid"),
        ("exp", None, "invalid"),
        ("exp", str(NOW + 100), "invalid"),
        ("exp", NOW + 100.0, "invalid"),
        ("exp", True, "invalid"),
        ("exp", float("nan"), "invalid"),
        ("exp", float("inf"), "invalid"),
        ("exp", NOW + 1, "accepted"),
        ("exp", NOW, "expired"),
        ("exp", 0, "expired"),
        ("exp", -(10**300), "expired"),
        ("exp", 10**300, "invalid"),
        ("exp", NOW - 100 + LIFE_SECONDS_MAX, "accepted"),
        ("exp", NOW - 100 + LIFE_SECONDS_MAX + 1, "invalid"),
        ("iat", GONE, "accepted"),
        ("iat", None, "accepted"),
        ("iat", NOW + 60, "accepted"),
        ("iat", NOW + 61, "invalid"),
        ("iat", str(NOW), "invalid"),
        ("iat", float(NOW), "invalid"),
        ("iat", False, "invalid"),
        ("iat", -(10**300), "invalid"),
        ("nbf", None, "accepted"),
        ("nbf", NOW + 60, "accepted"),
        ("nbf", NOW + 61, "invalid"),
        ("nbf", str(NOW), "invalid"),
        ("nbf", -(10**300), "accepted"),
        ("apiTokenPepper", None, "accepted"),
        ("apiTokenPepper", GONE, "accepted"),
        ("apiTokenPepper", 1, "invalid"),
        ("apiTokenPepper", ["p1"], "invalid"),
        ("apiTokenPepper", "\udfff", "invalid"),
        ("botId", 1, "invalid"),
        ("botId", "a\0", "invalid"),
        ("botId", "reviewer", "accepted"),
        ("tokenSource", {}, "invalid"),
        ("tokenSource", "\ud83d", "invalid"),
        ("env", "anything", "accepted"),
        ("organizationId", "x", "accepted"),
        ("isAdmin", True, "accepted"),
    ],
    ids=lambda value: "gone" if value is GONE else repr(value)[:24],
)
def test_claims(claim: str, value: object, expected: str) -> None:
    assert reason(token_with(claim, value)) == expected


def test_without_iat_the_life_counts_from_now() -> None:
    payload = {name: value for name, value in PAYLOAD.items() if name != "iat"}
    assert reason(sign(HEADER, {**payload, "exp": NOW + LIFE_SECONDS_MAX})) == "accepted"
    assert reason(sign(HEADER, {**payload, "exp": NOW + LIFE_SECONDS_MAX + 1})) == "invalid"


@pytest.mark.parametrize(
    "header",
    [
        {},
        {"typ": "JWT"},
        {"alg": None},
        {"alg": ""},
        {"alg": "none"},
        {"alg": "None"},
        {"alg": "hs256"},
        {"alg": "HS256 "},
        {"alg": "HS384"},
        {"alg": "HS512"},
        {"alg": "RS256"},
        {"alg": "ES256"},
        {"alg": ["HS256"]},
        {"alg": 256},
        {"alg": "HS256", "crit": []},
        {"alg": "HS256", "crit": ["b64"]},
        {"alg": "HS256", "crit": ["b64"], "b64": True},
        {"alg": "HS256", "crit": None},
        {"alg": "HS256", "b64": False},
        {"alg": "HS256", "kid": 1},
        ["HS256"],
        "HS256",
        1,
        None,
        b"",
        b"{",
        b'{"alg":"none","alg":"HS256"}',
        b'{"alg":"HS256","alg":"HS256"}',
        b'\xef\xbb\xbf{"alg":"HS256"}',
        '{"alg":"HS256"}'.encode("utf-16"),
        '{"alg":"HS256"}'.encode("utf-32-le"),
        b'{"alg":"HS256","\xff":1}',
        b'{"alg":"HS256"} x',
    ],
    ids=repr,
)
def test_headers_that_are_refused(header: object) -> None:
    assert reason(sign(header, PAYLOAD)) == "invalid"


@pytest.mark.parametrize(
    "more",
    [
        {"typ": "at+jwt"},
        {"kid": "any"},
        {"jku": "https://evil.example/keys"},
        {"jwk": {"kty": "oct", "k": "AA"}},
        {"x5u": "https://evil.example/x"},
        {"x5c": ["AA"]},
        {"b64": True},
    ],
    ids=repr,
)
def test_headers_that_change_nothing(more: dict[str, object]) -> None:
    assert reason(sign({"alg": "HS256", **more}, PAYLOAD)) == "accepted"
    assert reason(sign({"alg": "HS256", **more}, PAYLOAD, secret=b"another secret of more than 32 bytes")) == "invalid"


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"null",
        b"[]",
        b"3",
        b"{",
        json.dumps(PAYLOAD).encode() + b" x",
        json.dumps(PAYLOAD)[:-1].encode() + b',"exp":' + str(NOW + 50).encode() + b"}",
        json.dumps(PAYLOAD)[:-1].encode() + b',"e\\u0078p":' + str(NOW + 50).encode() + b"}",
        json.dumps(PAYLOAD)[:-1].encode() + b',"other":{"a":1,"a":2}}',
        json.dumps(PAYLOAD).encode("utf-16"),
        b"\xef\xbb\xbf" + json.dumps(PAYLOAD).encode(),
        json.dumps(PAYLOAD).encode().replace(b"user-1", b"\xff"),
    ],
    ids=lambda payload: repr(payload[-24:]),
)
def test_payloads_that_are_refused(payload: bytes) -> None:
    assert reason(sign(HEADER, payload)) == "invalid"


GOOD = sign(HEADER, PAYLOAD)


@pytest.mark.parametrize(
    "token",
    [
        "",
        ".",
        "..",
        "...",
        "a",
        "a.b",
        "a.b.c",
        GOOD + "=",
        GOOD + ".",
        "." + GOOD,
        GOOD + " ",
        " " + GOOD,
        GOOD + "\n",
        "\n" + GOOD,
        GOOD.replace(".", " . "),
        GOOD.replace(".", ".."),
        GOOD.upper(),
        GOOD + "\0",
        GOOD + "ü",
        GOOD + "\uff11",
        GOOD.rpartition(".")[0] + ".",
        GOOD.rpartition(".")[0],
        ".".join(f"{part}==" for part in GOOD.split(".")),
        GOOD.split(".")[0] + "." + GOOD.split(".")[1] + "+/." + GOOD.split(".")[2],
    ],
    ids=lambda token: repr(token[-16:]) + str(len(token)),
)
def test_forms_that_are_refused(token: str) -> None:
    assert reason(token) == "invalid"


def test_other_secrets_and_digests() -> None:
    assert reason(sign(HEADER, PAYLOAD, secret=SECRET + b"x")) == "invalid"
    assert reason(sign(HEADER, PAYLOAD, digest=sha512)) == "invalid"
    assert reason(sign({"alg": "HS512"}, PAYLOAD, digest=sha512)) == "invalid"


def test_the_size_is_bounded() -> None:
    def padded(length: int) -> str:
        return sign(HEADER, {**PAYLOAD, "padding": "x" * length})

    most = max(length for length in range(2_000, 3_100) if len(padded(length)) <= TOKEN_BYTES_MAX)
    assert reason(padded(most)) == "accepted"
    assert reason(padded(most + 1)) == "invalid"
    assert len(padded(most + 1)) > TOKEN_BYTES_MAX >= len(padded(most))


def test_a_header_nested_too_deeply_for_any_stack_is_refused() -> None:
    """PyJWT reads the header once more, some frames deeper than we do."""
    limit = sys.getrecursionlimit()
    for depth in range(1, min(limit, 1_400)):
        header = b'{"alg":"HS256","x":' + b"[" * depth + b"]" * depth + b"}"
        assert reason(f"{encoded(header)}.e30.AAAA") == "invalid"


def test_an_expected_environment() -> None:
    rules = TokenRules(SECRET, environment="production")
    assert reason(token_with("env", "production"), rules) == "accepted"
    assert reason(token_with("env", GONE), rules) == "accepted"
    assert reason(token_with("env", None), rules) == "accepted"
    assert reason(token_with("env", "staging"), rules) == "invalid"
    assert reason(token_with("env", ["production"]), rules) == "invalid"
    assert reason(token_with("env", ""), rules) == "invalid"


def test_skews_are_settings() -> None:
    rules = TokenRules(SECRET, skew_s=0, expiry_skew_s=10)
    assert reason(token_with("iat", NOW + 1), rules) == "invalid"
    assert reason(token_with("iat", NOW), rules) == "accepted"
    assert reason(token_with("exp", NOW - 9), rules) == "accepted"
    assert reason(token_with("exp", NOW - 10), rules) == "expired"


def test_a_refusal_names_the_user_once_the_signature_is_right() -> None:
    assert read_token(token_with("exp", NOW), RULES, NOW) == Refusal("expired", "user-1")
    assert read_token(sign(HEADER, PAYLOAD, b"another secret of more than 32 bytes"), RULES, NOW) == Refusal("invalid")


@pytest.mark.parametrize(
    ("stored", "claimed", "matches"),
    [
        (None, None, True),
        (None, "p", True),
        ("", None, True),
        ("", "p", True),
        ("p", "p", True),
        ("ü", "ü", True),
        ("p", None, False),
        ("p", "", False),
        ("p", "P", False),
        ("p", "pp", False),
        ("p", "p ", False),
    ],
)
def test_peppers(stored: str | None, claimed: str | None, matches: bool) -> None:
    assert pepper_matches(stored, claimed) is matches


@given(st.text(max_size=300) | st.text(alphabet="abcABC019-_.=", max_size=300))
def test_no_text_is_accepted_or_raises(text: str) -> None:
    assert reason(text) == "invalid"


@given(st.integers(0, len(GOOD) - 1), st.characters(codec="ascii"))
def test_no_changed_character_is_accepted(at: int, character: str) -> None:
    changed = GOOD[:at] + character + GOOD[at + 1 :]
    assert reason(changed) == ("accepted" if changed == GOOD else "invalid")


@given(
    st.dictionaries(
        st.sampled_from([*PAYLOAD, "nbf", "env", "botId"]),
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.lists(st.none(), max_size=1),
    )
)
def test_any_signed_payload_gets_a_verdict(changes: dict[str, object]) -> None:
    claims = read_token(sign(HEADER, {**PAYLOAD, **changes}), RULES, NOW)
    if isinstance(claims, Claims):
        assert NOW < claims.expires_at <= NOW + LIFE_SECONDS_MAX + RULES.skew_s
        assert claims.user_id
