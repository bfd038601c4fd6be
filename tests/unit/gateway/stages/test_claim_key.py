import asyncio
import inspect
from dataclasses import replace

import pytest
from msgspec import structs

from tollway.errors import Code, Problem
from tollway.gateway.stages import claim_key
from tollway.identity.caller import Caller
from unit.gateway.fakes import CALLER, FakeClaims, exchange, services, settled

PRINTABLE = bytes(range(32, 127))


def claim(
    key: bytes, claims: FakeClaims, request_id: str = "request-1", caller: Caller = CALLER, path: str = "/v1/chat"
) -> str | Problem:
    one = exchange(headers={b"idempotency-key": key})
    one.id, one.caller, one.inbound = request_id, caller, structs.replace(one.inbound, path=path)
    return asyncio.run(settled(claim_key.run(one, services(claims=claims))))  # type: ignore[no-any-return]


def test_without_a_key_nobody_is_asked() -> None:
    one = exchange()
    one.caller = CALLER
    assert claim_key.run(one, services(claims=FakeClaims(away=True))) == ""  # at once


@pytest.mark.parametrize("key", [b"x", b" ", PRINTABLE, b"k" * 255], ids=["one", "a space", "all", "255"])
def test_a_key_is_used_once_whatever_it_consists_of(key: bytes) -> None:
    claims = FakeClaims()
    assert claim(key, claims) == key.decode()
    problem = claim(key, claims, "request-2")
    assert isinstance(problem, Problem)
    assert (problem.code, problem.http_status) == (Code.CONFLICT, 409)
    assert problem.shown == "This Idempotency-Key was used by request request-1."


@pytest.mark.parametrize(
    "key",
    [b"", b"k" * 256, b"a\x00b", b"a\tb", b"\x1f", b"\x7f", "é".encode(), b"\xff", b"a\nb"],
)
def test_what_is_no_key_is_refused_before_anybody_is_asked(key: bytes) -> None:
    one = exchange(headers={b"idempotency-key": key})
    one.caller = CALLER
    problem = claim_key.run(one, services(claims=FakeClaims(away=True)))
    assert isinstance(problem, Problem)
    assert (problem.code, problem.detail, problem.http_status) == (Code.BAD_REQUEST, "Idempotency-Key", 400)
    assert not inspect.isawaitable(problem)


def test_keys_of_others_and_of_other_routes_are_other_keys() -> None:
    claims, organization = FakeClaims(), replace(CALLER, organization_id="user-1")
    assert claim(b"k", claims) == "k"
    assert claim(b"k", claims, "request-2", replace(CALLER, user_id="user-2")) == "k"
    assert claim(b"k", claims, "request-3", organization) == "k"
    assert claim(b"k", claims, "request-4", path="/api/gateway/chat/completions") == "k"
    # another key, or another member, of the same account is the same account
    assert isinstance(claim(b"k", claims, "request-5", replace(CALLER, key_id="key-2")), Problem)
    assert isinstance(claim(b"k", claims, "request-6", replace(organization, user_id="user-9")), Problem)


def test_nothing_is_sent_while_nobody_knows_whether_it_was_sent_before() -> None:
    problem = claim(b"k", FakeClaims(away=True))
    assert isinstance(problem, Problem)
    assert (problem.code, problem.retry_after_s) == (Code.LEDGER_UNAVAILABLE, 1)
