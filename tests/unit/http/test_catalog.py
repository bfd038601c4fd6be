from typing import Any

import pytest
from fastapi import FastAPI

from tollway.http.callers import Callers, Denied
from tollway.http.catalog import CatalogServices, Page, add_catalog
from tollway.identity.caller import Caller
from unit.admin.test_snapshot_reading import Synced, stored, synced_of
from unit.gateway.fakes import CALLER
from unit.http.asgi import Answer, ask

PUBLIC = "public, max-age=0, s-maxage=60"
MODELS = ("/v1/models", "/api/gateway/models", "/api/openrouter/models")
OTHERS = tuple(
    f"/api/{one}/{what}" for one in ("gateway", "openrouter") for what in ("providers", "models-by-provider")
)
SYNCED = synced_of(stored(1))
PAGE = Page(b"public", '"etag"')


class Known(Callers):
    """Gives one answer about whoever asks, and remembers for which organization."""

    def __init__(self, verdict: Caller | Denied) -> None:
        self.verdict = verdict
        self.asked: list[str] = []

    async def identify(self, request: Any, organization: str = "") -> Caller | Denied:
        self.asked.append(organization)
        return self.verdict


def get(known: Known, path: str = "/v1/models", public: Page | None = PAGE, **headers: str) -> Answer:
    return ask(api(known, public, SYNCED), "GET", path, **headers)


def api(known: Known, public: Page | None, synced: Synced | None, own: bytes = b"") -> FastAPI:
    async def own_page(caller: Caller) -> bytes:
        return own or caller.user_id.encode()

    async def latest() -> Synced | None:
        return synced

    made = FastAPI()
    add_catalog(made, CatalogServices(lambda: public, own_page, known, latest))
    return made


@pytest.mark.parametrize("path", MODELS)
def test_without_a_credential_it_is_the_public_page_and_nobody_is_asked_for(path: str) -> None:
    known = Known(CALLER)
    for headers in ({}, {"x_kilocode_organizationid": "org"}):
        answer = get(known, path, **headers)
        assert (answer.status, answer.body, answer.headers["cache-control"]) == (200, b"public", PUBLIC)
        assert answer.headers["vary"] == "Authorization, X-KiloCode-OrganizationId"
    assert known.asked == []
    assert get(known, path, if_none_match='"other", W/"etag"').status == 304
    assert ask(api(known, Page(b"x", '"e"'), None), "HEAD", path).status == 200


@pytest.mark.parametrize("path", MODELS)
@pytest.mark.parametrize("header", ["x_kilocode_organizationid", "x_tollway_organizationid"])
def test_a_caller_gets_their_own_and_nobody_may_keep_it(path: str, header: str) -> None:
    known = Known(CALLER)
    answer = get(known, path, authorization="Bearer k", **{header: "org"})
    assert (answer.status, answer.body) == (200, CALLER.user_id.encode())
    assert answer.headers["cache-control"] == "private, no-store"
    assert "etag" not in answer.headers
    assert known.asked == ["org"]


@pytest.mark.parametrize("path", [*MODELS, *OTHERS])
def test_a_bad_credential_is_none_but_for_an_organization(path: str) -> None:
    known = Known(Denied(401, "who"))
    assert get(known, path, authorization="Bearer k").body == get(known, path).body
    refused = get(known, path, authorization="Bearer k", x_kilocode_organizationid="org")
    assert (refused.status, refused.json) == (403, {"error": "who", "message": "who"})


@pytest.mark.parametrize("path", OTHERS)
def test_what_is_the_same_for_all_is_still_nobodys_to_keep_for_a_caller(path: str) -> None:
    public, own = get(Known(CALLER), path), get(Known(CALLER), path, authorization="Bearer k")
    assert public.body == own.body == (SYNCED.providers if path.endswith("/providers") else SYNCED.by_provider)
    assert own.headers["cache-control"] == "private, no-store"
    assert get(Known(CALLER), path, if_none_match=public.headers["etag"]).status == 304


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


def test_while_there_is_nothing_it_is_said_so_unless_a_caller_has_something() -> None:
    empty = b'{"object":"list","data":[]}'
    nothing = api(Known(CALLER), None, None, empty)
    for headers in ({}, {"authorization": "Bearer k"}):
        answer = ask(nothing, "GET", "/v1/models", **headers)
        assert (answer.status, answer.headers["retry-after"]) == (503, "5")
        assert answer.json["message"] == "Models data not yet available"
    assert ask(api(Known(CALLER), None, None, b"own"), "GET", "/v1/models", authorization="Bearer k").body == b"own"
    assert ask(nothing, "GET", "/api/gateway/providers").status == 503
    assert ask(nothing, "GET", "/api/gateway/models-by-provider").status == 404
