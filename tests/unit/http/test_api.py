import json
from typing import Any

import pytest
from fastapi import FastAPI

from tollway.errors import Code
from tollway.http import api as api_module
from tollway.http.api import ApiServices, build_api
from tollway.http.catalog import CatalogServices, Page
from tollway.http.catalog_details import DetailServices
from tollway.observability.metrics import Metrics
from unit.http.asgi import SecretError, ask


async def _well() -> bool:
    return True


async def _ill() -> bool:
    return False


def _broken() -> Page:
    raise SecretError("SELECT * FROM users; /srv/tollway.py")


NOTHING: Any = None
DETAILS = DetailServices(*[NOTHING] * 6)


def catalog(public: Any) -> CatalogServices:
    nobody: Any = None
    return CatalogServices(public, nobody, nobody, nobody)


def api_services(**changes: Any) -> ApiServices:
    given: dict[str, Any] = {
        "catalog": catalog(lambda: Page(b"{}", '"etag"')),
        "details": DETAILS,
        "cron": None,
        "custom_upstreams": None,
        "checks": {"database": _well},
        "is_draining": lambda: False,
        "metrics": Metrics(),
    }
    return ApiServices(**{**given, **changes})


def _ask(services: ApiServices, method: str, path: str, **headers: str) -> tuple[int, dict[str, str], bytes]:
    answer = ask(build_api(services), method, path, **headers)
    return answer.status, answer.headers, answer.body


def test_a_bug_is_a_500_that_says_nothing() -> None:
    status, headers, body = _ask(api_services(catalog=catalog(_broken)), "GET", "/v1/models")
    assert (status, json.loads(body)) == (500, {"error": "Internal server error"})
    assert headers["content-type"] == "application/json"
    assert headers["cache-control"] == "no-store"
    assert headers["x-content-type-options"] == "nosniff"
    assert len(headers["x-request-id"]) == 32
    assert "SELECT" not in "".join(headers.values())


@pytest.mark.parametrize(
    ("checks", "draining", "failing"),
    [
        ({"database": _well}, False, []),
        ({"database": _ill}, False, ["database"]),
        ({"database": _ill, "journal": _ill}, True, ["database", "draining", "journal"]),
        ({}, True, ["draining"]),
    ],
)
def test_readiness_names_what_fails(checks: Any, draining: bool, failing: list[str]) -> None:
    status, _, body = _ask(api_services(checks=checks, is_draining=lambda: draining), "GET", "/readyz")
    expected: dict[str, object] = {"status": "failing", "failing": failing} if failing else {"status": "ready"}
    assert (status, json.loads(body)) == (503 if failing else 200, expected)


def test_a_page_that_is_known_is_not_sent_again() -> None:
    status, headers, body = _ask(api_services(), "GET", "/v1/models", if_none_match='W/"etag"')
    assert (status, headers["etag"], body) == (304, '"etag"', b"")


def test_a_body_that_does_not_fit_has_the_general_shape(monkeypatch: pytest.MonkeyPatch) -> None:
    def add(api: FastAPI, _: ApiServices) -> None:
        @api.get("/counted")
        async def counted(count: int) -> int:
            return count

    monkeypatch.setattr(api_module, "_add_health", add)
    status, headers, body = _ask(api_services(), "GET", "/counted")
    error = json.loads(body)["error"]
    assert (status, error["code"], error["request_id"]) == (400, Code.BAD_REQUEST, headers["x-request-id"])
