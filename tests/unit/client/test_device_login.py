import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tollway.client.device_login import (
    Membership,
    Polled,
    Verdict,
    login_credential,
    read_code,
    read_memberships,
    read_poll,
)
from tollway.client.errors import ClientError

CODE: dict[str, Any] = {"code": "ABCD-EFGH", "verificationUrl": "https://t.example/device-auth", "expiresIn": 600}


def body(**fields: Any) -> bytes:
    return json.dumps({**CODE, **fields}).encode()


def test_a_code() -> None:
    found = read_code(200, body())
    assert (found.code, found.url, found.expires_in_s) == ("ABCD-EFGH", "https://t.example/device-auth", 600)
    assert [read_code(201, body(expiresIn=n)).expires_in_s for n in (-5, 10**9)] == [1, 3_600]


@pytest.mark.parametrize(
    "fields",
    [
        {"code": "../../api/keys"},
        {"code": "A\x1b[2J"},
        {"code": None},
        {"verificationUrl": "file:///etc/passwd"},
        {"verificationUrl": "https://t.example/\x1b]8;;"},
        {"verificationUrl": "javascript:alert(1)"},
        {"verificationUrl": "https://[broken"},
        {"expiresIn": "soon"},
    ],
)
def test_an_answer_that_is_not_to_be_shown(fields: dict[str, Any]) -> None:
    with pytest.raises(ClientError, match="offers no login by code"):
        read_code(200, body(**fields))


@pytest.mark.parametrize(("status", "why"), [(429, "wait ten minutes"), (404, "404"), (0, "nothing"), (500, "500")])
def test_no_code(status: int, why: str) -> None:
    with pytest.raises(ClientError, match=why):
        read_code(status, body())


@pytest.mark.parametrize(
    ("status", "answer", "verdict"),
    [
        (202, {"status": "pending"}, Verdict.PENDING),
        (200, {"status": "approved", "token": " t ", "userEmail": "a@b.example"}, Verdict.APPROVED),
        (200, {"status": "approved", "token": "  "}, Verdict.FAILED),
        (200, {"status": "pending", "token": "t"}, Verdict.FAILED),
        (403, {}, Verdict.DENIED),
        (410, {"status": "expired"}, Verdict.EXPIRED),
        (404, {}, Verdict.EXPIRED),
        (502, {}, Verdict.FAILED),
        (0, {}, Verdict.FAILED),
    ],
)
def test_how_a_code_stands(status: int, answer: dict[str, str], verdict: Verdict) -> None:
    found = read_poll(status, json.dumps(answer).encode())
    assert found.verdict is verdict
    assert found.token == ("t" if verdict is Verdict.APPROVED else "")
    assert "canary" not in repr(Polled(verdict, "canary"))


json_texts = st.recursive(st.none() | st.text(), st.lists).map(lambda value: json.dumps(value).encode())


@given(st.integers(0, 599), st.binary() | json_texts)
def test_no_answer_raises(status: int, answer: bytes) -> None:
    read_poll(status, answer)
    read_memberships(status, answer)


def test_memberships() -> None:
    listed = [{"id": "o1", "name": "A\x1bcme", "role": "owner"}, {"id": "../x", "name": "n"}, "x", {"id": "o2"}]
    answer = json.dumps({"organizations": listed}).encode()
    assert read_memberships(200, answer) == (Membership("o1", "Acme", "owner"), Membership("o2", "o2", ""))
    assert read_memberships(500, answer) == ()
    assert read_memberships(200, b'{"user":{}}') == ()


def test_what_is_stored_says_where_it_is_from() -> None:
    entry = login_credential("t", "org", "https://t.example", 1_000)
    assert (entry.access, entry.refresh, entry.account_id, entry.enterprise_url) == (
        "t",
        "t",
        "org",
        "https://t.example",
    )
    assert entry.expires == 1_000 + 365 * 86_400_000
