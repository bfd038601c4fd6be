import json
from dataclasses import replace
from typing import Any

import pytest
from fastapi import FastAPI

from tollway.catalog.defaults import Defaults
from tollway.http.callers import Denied
from tollway.http.catalog_details import DetailServices, add_catalog_details
from tollway.identity.caller import Caller
from unit.admin.test_snapshot_reading import Synced
from unit.catalog.feed.test_guards import ID
from unit.gateway.fakes import CALLER
from unit.http.asgi import Answer, ask
from unit.http.test_catalog import SYNCED, Known

SOME = Defaults("a/b", "c/d:free")


def send(
    method: str, path: str, body: bytes = b"", verdict: Caller | Denied = CALLER, defaults: Any = SOME, **headers: str
) -> Answer:
    async def latest() -> Synced | None:
        return SYNCED if defaults is not ... else None

    async def of_organization(organization_id: str) -> Defaults | None:
        assert organization_id == "org"
        return defaults  # type: ignore[no-any-return]

    async def of_caller(caller: Caller) -> Defaults | None:
        return Defaults(caller.user_id, "free") if defaults else None

    api = FastAPI()
    services = DetailServices(
        callers=Known(verdict),
        synced=latest,
        exists=lambda one: one == "known/model",
        of_everybody=lambda: defaults,
        of_caller=of_caller,
        of_organization=of_organization,
    )
    add_catalog_details(api, services)
    return ask(api, method, path, body, **headers)


@pytest.mark.parametrize("prefix", ["/api/gateway", "/api/openrouter"])
def test_endpoints_of_a_model(prefix: str) -> None:
    answer = send("GET", f"{prefix}/models/{ID}/endpoints")
    assert answer.json == {"data": {"id": ID, "name": f"Model {ID}", "endpoints": []}}
    assert answer.headers["cache-control"] == "public, max-age=0, s-maxage=60, stale-while-revalidate=60"
    for missing in (
        send("GET", f"{prefix}/models/no/such/endpoints"),
        send("GET", f"{prefix}/models/{ID}/endpoints", defaults=...),
    ):
        assert (missing.status, missing.json) == (404, {"error": {"message": "Not Found", "code": 404}})


@pytest.mark.parametrize(
    ("body", "status", "answer"),
    [
        ({"modelId": "Known/Model"}, 200, {"valid": True}),
        ({"modelId": "other/model"}, 200, {"valid": False, "reason": "unavailable"}),
        ({"modelId": "has space"}, 400, None),
        ({"modelId": ""}, 400, None),
        ({"modelId": 5}, 400, None),
        ({}, 400, None),
        (5, 400, None),
    ],
)
def test_whether_a_model_exists(body: object, status: int, answer: object) -> None:
    found = send("POST", "/api/gateway/models/validate", json.dumps(body).encode())
    assert found.status == status
    assert answer is None or found.json == answer


def test_an_organizations_models_are_asked_for_elsewhere() -> None:
    body = b'{"modelId":"known/model"}'
    assert send("POST", "/api/gateway/models/validate", body, x_kilocode_organizationid="org").status == 400
    assert send("POST", "/api/gateway/models/validate", b"{").status == 400


def test_what_clients_begin_with() -> None:
    public = send("GET", "/api/defaults")
    assert public.json == {"defaultModel": "a/b", "defaultFreeModel": "c/d:free"}
    assert send("GET", "/api/defaults", verdict=Denied(401, "who"), authorization="Bearer x").body == public.body
    own = send("GET", "/api/defaults", authorization="Bearer k")
    assert (own.json["defaultModel"], own.headers["cache-control"]) == (CALLER.user_id, "private, no-store")
    assert send("GET", "/api/defaults", defaults=None).status == 404
    assert send("GET", "/api/defaults", defaults=None, authorization="Bearer k").status == 404
    for bound in ({"key_models": frozenset({"a/b"})}, {"organization_id": "org"}):
        refused = send(
            "GET", "/api/defaults", defaults=None, verdict=replace(CALLER, **bound), authorization="Bearer k"
        )
        assert refused.status == 409
        assert "key" in refused.json["error"]


def test_what_clients_of_members_begin_with() -> None:
    path = "/api/organizations/ORG/defaults"
    assert send("GET", path).json["defaultModel"] == "a/b"
    nothing = send("GET", path, defaults=None)
    assert (nothing.status, nothing.json) == (
        409,
        {"error": "No valid models are allowed by this organization's allow list."},
    )
    assert send("GET", path, verdict=Denied(401, "who")).json == {"error": "who", "success": False}
    refused = send("GET", path, verdict=Denied(403, "no"))
    assert (refused.status, refused.json) == (403, {"error": "no", "message": "no"})
