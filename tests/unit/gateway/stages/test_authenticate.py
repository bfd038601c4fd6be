import asyncio

import pytest
from msgspec.structs import replace

from tollway.errors import Code, Problem
from tollway.gateway.client_dialects import ClientDialect, MessagesClient, ResponsesClient
from tollway.gateway.stages import authenticate
from tollway.identity.caller import Caller, Refusal
from unit.gateway.fakes import CALLER, FakeAuthenticator, exchange, services, settled

KEY = {b"authorization": b"Bearer key"}


def run(authenticator: FakeAuthenticator, headers: dict[bytes, bytes]) -> Caller | Problem | None:
    async def work() -> Caller | Problem | None:
        result: Caller | Problem | None = await settled(
            authenticate.run(exchange(headers=headers), services(authenticator=authenticator))
        )
        return result

    return asyncio.run(work())


@pytest.mark.parametrize("later", [False, True], ids=["known", "asked for"])
def test_who_it_is(later: bool) -> None:
    assert run(FakeAuthenticator(later=later), KEY) is CALLER
    assert run(FakeAuthenticator(Refusal("revoked", "user-1"), later), KEY) is None
    assert run(FakeAuthenticator(later=later), {}) is None
    assert run(FakeAuthenticator(later=later), {b"authorization": b"Basic x"}) is None


@pytest.mark.parametrize(
    ("dialect", "headers", "asked"),
    [
        (None, {b"x-api-key": b"key"}, []),
        (ResponsesClient(), {b"x-api-key": b"key"}, []),
        (MessagesClient(), {b"x-api-key": b" key "}, ["key"]),
        (MessagesClient(), {**KEY, b"x-api-key": b"other"}, ["key"]),
        (MessagesClient(), {}, []),
    ],
)
def test_a_dialect_has_a_header_of_its_own(
    dialect: ClientDialect | None, headers: dict[bytes, bytes], asked: list[str]
) -> None:
    async def work() -> None:
        authenticator = FakeAuthenticator(later=True)
        one = exchange(headers=headers)
        one.inbound = replace(one.inbound, dialect=dialect)
        await settled(authenticate.run(one, services(authenticator=authenticator)))
        assert [credential for credential, _ in authenticator.asked] == asked

    asyncio.run(work())


@pytest.mark.parametrize("name", [b"x-tollway-organizationid", b"x-kilocode-organizationid"])
def test_the_organization_a_caller_names(name: bytes) -> None:
    authenticator = FakeAuthenticator(later=True)
    run(authenticator, {**KEY, name: b"org-1"})
    assert authenticator.asked == [("key", "org-1")]


def test_nobody_can_know() -> None:
    problem = run(FakeAuthenticator(later=True, away=True), KEY)
    assert isinstance(problem, Problem)
    assert problem.code is Code.LEDGER_UNAVAILABLE


def test_the_same_head_is_not_looked_up_twice() -> None:
    authenticator, looked_up = FakeAuthenticator(), []
    find = authenticator.find
    authenticator.find = lambda *of: looked_up.append(of) or find(*of)  # type: ignore[method-assign, func-returns-value]
    one, there = exchange(headers=KEY), services(authenticator=authenticator)
    assert authenticate.run(one, there) is CALLER
    assert authenticate.run(one, there) is CALLER
    assert looked_up == [("key", "")]


def test_the_same_head_is_looked_up_again_when_its_verdict_counts_no_more() -> None:
    authenticator = FakeAuthenticator()
    one, there = exchange(headers=KEY), services(authenticator=authenticator)
    assert authenticate.run(one, there) is CALLER
    authenticator.verdict_of = lambda _: None  # type: ignore[method-assign, assignment]
    assert asyncio.run(settled(authenticate.run(one, there))) is CALLER
    assert authenticator.asked == [("key", "")]
