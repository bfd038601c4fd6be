from typing import Any

import pytest
from fastapi import FastAPI

from tollway.http.callers import Callers, Denied
from tollway.http.catalog import CatalogServices, Page, add_catalog
from tollway.identity.caller import Caller
from unit.gateway.fakes import CALLER
from unit.http.asgi import Answer, ask

PUBLIC = "public, max-age=0, s-maxage=60"
PATHS = ("/v1/models", "/api/gateway/models", "/api/openrouter/models")


class Known(Callers):
    """Gives one answer about whoever asks, and remembers for which organization."""

    def __init__(self, verdict: Caller | Denied) -> None:
        self.verdict = verdict
        self.asked: list[str] = []

    async def identify(self, request: Any, organization: str = "") -> Caller | Denied:
        self.asked.append(organization)
        return self.verdict


def get(known: Known, path: str = "/v1/models", **headers: str) -> Answer:
    async def own(caller: Caller) -> bytes:
        return caller.user_id.encode()

    api = FastAPI()
    add_catalog(api, CatalogServices(lambda: Page(b"public", '"etag"'), own, known))
    return ask(api, "GET", path, **headers)


@pytest.mark.parametrize("path", PATHS)
def test_without_a_credential_it_is_the_public_page_and_nobody_is_asked_for(path: str) -> None:
    known = Known(CALLER)
    for headers in ({}, {"x_kilocode_organizationid": "org"}):
        answer = get(known, path, **headers)
        assert (answer.status, answer.body, answer.headers["cache-control"]) == (200, b"public", PUBLIC)
        assert answer.headers["vary"] == "Authorization, X-KiloCode-OrganizationId"
    assert known.asked == []
    assert get(known, path, if_none_match='"other", W/"etag"').status == 304


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("header", ["x_kilocode_organizationid", "x_tollway_organizationid"])
def test_a_caller_gets_their_own_and_nobody_may_keep_it(path: str, header: str) -> None:
    known = Known(CALLER)
    answer = get(known, path, authorization="Bearer k", **{header: "org"})
    assert (answer.status, answer.body) == (200, CALLER.user_id.encode())
    assert answer.headers["cache-control"] == "private, no-store"
    assert "etag" not in answer.headers
    assert known.asked == ["org"]


@pytest.mark.parametrize("path", PATHS)
def test_a_bad_credential_is_none_but_for_an_organization(path: str) -> None:
    known = Known(Denied(401, "who"))
    assert get(known, path, authorization="Bearer k").body == b"public"
    refused = get(known, path, authorization="Bearer k", x_kilocode_organizationid="org")
    assert (refused.status, refused.json) == (403, {"error": "who", "message": "who"})


@pytest.mark.parametrize("status", [400, 403, 404])
def test_a_catalog_of_an_organization_is_for_its_members(status: int) -> None:
    path = "/api/organizations/org/models"
    known = Known(CALLER)
    assert get(known, path, authorization="Bearer k").body == CALLER.user_id.encode()
    assert known.asked == ["org"]
    refused = get(Known(Denied(status, "no")), path)
    assert (refused.status, refused.json) == (status, {"error": "no", "message": "no"})
    unknown = get(Known(Denied(401, "who")), path)
    assert (unknown.status, unknown.json) == (401, {"error": "who", "success": False})
