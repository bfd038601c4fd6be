import asyncio
from collections.abc import Mapping
from dataclasses import replace

import pytest
from fastapi import Request
from structlog.testing import capture_logs

from tollway.billing.store import StoreUnavailableError
from tollway.http.callers import AUTHENTICATION_REQUIRED, Callers, Denied
from tollway.identity.caller import Caller, Refusal, Role
from unit.gateway.fakes import CALLER, FakeAuthenticator

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
    asyncio.run(Callers(away, unasked).heed_changes())
    assert away.asked_for_changes == 1


def identify(authorization: str | None, organization: str = "", exists: bool = True) -> Caller | Denied:
    headers = [(b"authorization", authorization.encode())] if authorization is not None else []
    request = Request({"type": "http", "headers": headers})

    async def has_organization(_: str) -> bool:
        return exists

    return asyncio.run(Callers(Verdicts(), has_organization).identify(request, organization))


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
