import asyncio
from collections.abc import Mapping
from dataclasses import replace

import pytest
from fastapi import Request
from structlog.testing import capture_logs

from tollway.billing.store import StoreUnavailableError
from tollway.gateway.logins import TOO_MANY, Logins
from tollway.http.callers import AUTHENTICATION_REQUIRED, Callers, Denied
from tollway.identity.caller import Caller, Refusal, Role
from tollway.observability.metrics import Metrics
from unit.gateway.fakes import CALLER, SETTINGS, Clock, FakeAuthenticator

ORG = "11111111-1111-4111-8111-111111111111"
MEMBER = replace(CALLER, organization_id=ORG, role=Role.MEMBER)


class Verdicts(FakeAuthenticator):
    """Knows ann, and that she is a member of ORG; half of it only when it is asked."""

    def known(self, credential: str, organization: str) -> Caller | Refusal | None:
        return None if organization else self._verdict(credential, organization)

    async def authenticate(self, credential: str, organization: str) -> Caller | Refusal:
        return self._verdict(credential, organization)

    def _verdict(self, credential: str, organization: str) -> Caller | Refusal:
        if credential != "ann":
            return Refusal("unknown key")
        if not organization:
            return CALLER
        return MEMBER if organization == ORG else Refusal("no member", CALLER.user_id)


def test_a_change_is_heeded_now_or_with_the_next_poll() -> None:
    class Away(Verdicts):
        asked_for_changes = 0

        async def refresh(self) -> None:
            self.asked_for_changes += 1
            raise StoreUnavailableError("gone")

    async def unasked(_: str) -> bool:
        raise AssertionError

    away = Away()
    asyncio.run(Callers(away, unasked, Logins(SETTINGS, b"", Metrics(), Clock()), address).heed_changes())
    assert away.asked_for_changes == 1


def address(_: Request) -> str:
    return "192.0.2.1"


def identify(
    authorization: str | None, organization: str = "", exists: bool = True, asked: Verdicts | None = None, bad: int = 0
) -> Caller | Denied:
    """`bad`: so many bad credentials came before, from the same address."""
    logins = Logins(SETTINGS, b"", Metrics(), Clock())
    for _ in range(bad):
        logins.count("192.0.2.1", Refusal("unknown key"), is_repeated=False)
    headers = [(b"authorization", authorization.encode())] if authorization is not None else []
    request = Request({"type": "http", "headers": headers})

    async def has_organization(_: str) -> bool:
        return exists

    callers = Callers(asked or Verdicts(), has_organization, logins, address)
    return asyncio.run(callers.identify(request, organization))


def test_callers_and_members() -> None:
    assert identify("Bearer ann") == CALLER
    assert identify("Bearer ann", ORG) == MEMBER


@pytest.mark.parametrize("organization", ["", ORG, "no-uuid"])
@pytest.mark.parametrize("authorization", [None, "", "ann", "Basic ann", "Bearer", "Bearer bob", "Bearer ann ann"])
def test_one_answer_for_whatever_is_wrong_with_a_credential(authorization: str | None, organization: str) -> None:
    denied = identify(authorization, organization)
    assert denied == Denied(401, AUTHENTICATION_REQUIRED)
    assert denied.answer.body == b'{"error":"Unauthorized - authentication required","success":false}'


@pytest.mark.parametrize(
    ("organization", "exists", "status"),
    [("no-uuid", True, 400), (ORG.replace("1", "2"), True, 403), (ORG.replace("1", "2"), False, 404)],
)
def test_organizations_that_are_not_theirs(organization: str, exists: bool, status: int) -> None:
    with capture_logs() as lines:
        denied = identify("Bearer ann", organization, exists)
    assert isinstance(denied, Denied)
    assert denied.status == status
    reasons: list[Mapping[str, object]] = [] if status == 400 else [{"user": CALLER.user_id, "reason": "no member"}]
    assert [{"user": line["user"], "reason": line["reason"]} for line in lines] == reasons


def test_an_address_with_too_many_bad_credentials_has_none_looked_up() -> None:
    class Unknowing(Verdicts):
        def known(self, credential: str, organization: str) -> Caller | Refusal | None:
            return None

        async def authenticate(self, credential: str, organization: str) -> Caller | Refusal:
            self.asked.append((credential, organization))
            return self._verdict(credential, organization)

    asked = Unknowing()
    assert identify("Bearer bob", asked=asked, bad=19) == Denied(401, AUTHENTICATION_REQUIRED)
    assert asked.asked == [("bob", "")]
    denied = identify("Bearer ann", asked=asked, bad=20)
    assert asked.asked == [("bob", "")]
    assert isinstance(denied, Denied)
    answer = denied.answer
    assert (answer.status_code, answer.body) == (429, b'{"error":"%b","success":false}' % TOO_MANY.encode())
    told = {name: answer.headers[name] for name in ("retry-after", "x-ratelimit-limit", "x-ratelimit-remaining")}
    assert told == {"retry-after": "60", "x-ratelimit-limit": "20", "x-ratelimit-remaining": "0"}
    asked.once_good = True
    assert identify("Bearer ann", asked=asked, bad=20) == CALLER
    assert identify(None, asked=asked, bad=20) == Denied(401, AUTHENTICATION_REQUIRED)


def test_known_callers_of_such_an_address_pass_and_known_bad_credentials_do_not() -> None:
    assert identify("Bearer ann", ORG, bad=20) == MEMBER
    denied = identify("Bearer bob", bad=20)
    assert isinstance(denied, Denied)
    assert denied.status == 429
