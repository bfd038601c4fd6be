import asyncio
import dataclasses

import pytest
from msgspec.structs import replace

from tollway.errors import Code, Problem
from tollway.gateway.client_dialects import ClientDialect, MessagesClient, ResponsesClient
from tollway.gateway.exchange import Exchange
from tollway.gateway.stages import authenticate
from tollway.identity.caller import Caller, Refusal
from tollway.settings import parse
from unit.gateway.fakes import CALLER, FakeAuthenticator, exchange, services, settled

KEY = {b"authorization": b"Bearer key"}


def addressed(headers: dict[bytes, bytes]) -> Exchange:
    one = exchange(headers=headers)
    one.address = "192.0.2.1"
    return one


def run(authenticator: FakeAuthenticator, headers: dict[bytes, bytes]) -> Caller | Problem | None:
    async def work() -> Caller | Problem | None:
        result: Caller | Problem | None = await settled(
            authenticate.run(addressed(headers), services(authenticator=authenticator))
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
        one = addressed(headers)
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
    assert (problem.code, problem.retry_after_s) == (Code.LEDGER_UNAVAILABLE, 1)


def test_the_same_head_is_not_looked_up_twice() -> None:
    authenticator, looked_up = FakeAuthenticator(), []
    find = authenticator.find
    authenticator.find = lambda *of: looked_up.append(of) or find(*of)  # type: ignore[method-assign, func-returns-value]
    one, there = addressed(KEY), services(authenticator=authenticator)
    assert authenticate.run(one, there) is CALLER
    assert authenticate.run(one, there) is CALLER
    assert looked_up == [("key", "")]


def test_the_same_head_is_looked_up_again_when_its_verdict_counts_no_more() -> None:
    authenticator = FakeAuthenticator()
    one, there = addressed(KEY), services(authenticator=authenticator)
    assert authenticate.run(one, there) is CALLER
    authenticator.verdict_of = lambda _: None  # type: ignore[method-assign, assignment]
    assert asyncio.run(settled(authenticate.run(one, there))) is CALLER
    assert authenticator.asked == [("key", "")]


@pytest.mark.parametrize("later", [False, True], ids=["known", "asked for"])
def test_an_address_with_too_many_bad_credentials(later: bool) -> None:
    async def work() -> None:
        bad = FakeAuthenticator(Refusal("unknown key"), later)
        there = services(authenticator=bad, settings=parse({"limits": {"failed_logins_per_minute": 2}}))

        async def ask(authenticator: FakeAuthenticator, headers: dict[bytes, bytes] = KEY) -> object:
            return await settled(
                authenticate.run(addressed(headers), dataclasses.replace(there, authenticator=authenticator))
            )

        assert [await ask(bad), await ask(bad)] == [None, None]
        asked = len(bad.asked)
        refused = await ask(bad)
        assert isinstance(refused, Problem)
        assert refused.code is Code.RATE_LIMITED
        assert len(bad.asked) == asked, "it was looked up"
        assert await ask(bad, {}) is None, "without a credential nobody logs in"
        assert await ask(FakeAuthenticator()) is CALLER, "a verdict that is known is no look-up"
        unknown = FakeAuthenticator(later=True)
        assert isinstance(await ask(unknown), Problem)
        unknown.once_good = True
        assert await ask(unknown) is CALLER

    asyncio.run(work())


@pytest.mark.parametrize("later", [False, True], ids=["known", "being asked for"])
def test_a_lapsed_credential_that_is_shown_again_locks_nobody_out(later: bool) -> None:
    async def work() -> None:
        lapsed = FakeAuthenticator(Refusal("expired key", "ann"), later)
        lapsed.under_way = later
        there = services(authenticator=lapsed, settings=parse({"limits": {"failed_logins_per_minute": 2}}))
        for _ in range(9):
            assert await settled(authenticate.run(addressed(KEY), there)) is None
        assert there.logins.refusal(addressed(KEY).address) is None

    asyncio.run(work())
