import asyncio
import json
from contextlib import suppress
from typing import Any

import pytest
from fastapi import FastAPI

from tollway.errors import Code
from tollway.http import api as api_module
from tollway.http.api import ApiServices, build_api
from tollway.http.catalog import CatalogServices, Page
from tollway.observability.metrics import Metrics


async def _well() -> bool:
    return True


async def _ill() -> bool:
    return False


class SecretError(Exception):
    """Whatever a bug may say."""


def _broken() -> Page:
    raise SecretError("SELECT * FROM users; /srv/tollway.py")


def catalog(public: Any) -> CatalogServices:
    nobody: Any = None
    return CatalogServices(public, nobody, nobody)


def _services(**changes: Any) -> ApiServices:
    given: dict[str, Any] = {
        "catalog": catalog(lambda: Page(b"{}", '"etag"')),
        "custom_upstreams": None,
        "checks": {"database": _well},
        "is_draining": lambda: False,
        "metrics": Metrics(),
    }
    return ApiServices(**{**given, **changes})


def _ask(
    services: ApiServices, method: str, path: str, *headers: tuple[bytes, bytes]
) -> tuple[int, dict[str, str], bytes]:
    """Status, headers and body, as far as they were sent; a bug is raised again behind its answer."""
    messages: list[Any] = []

    async def receive() -> Any:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Any) -> None:
        messages.append(message)

    scope: dict[str, Any] = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "root_path": "",
        "query_string": b"",
        "headers": list(headers),
        "client": ("192.0.2.7", 1),
        "server": ("192.0.2.1", 80),
    }

    async def run() -> None:
        with suppress(SecretError):
            await build_api(services)(scope, receive, send)

    asyncio.run(run())
    sent = {name.decode(): value.decode() for name, value in messages[0]["headers"]}
    return messages[0]["status"], sent, b"".join(message["body"] for message in messages[1:])


def test_a_bug_is_a_500_that_says_nothing() -> None:
    status, headers, body = _ask(_services(catalog=catalog(_broken)), "GET", "/v1/models")
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
    status, _, body = _ask(_services(checks=checks, is_draining=lambda: draining), "GET", "/readyz")
    expected: dict[str, object] = {"status": "failing", "failing": failing} if failing else {"status": "ready"}
    assert (status, json.loads(body)) == (503 if failing else 200, expected)


def test_a_page_that_is_known_is_not_sent_again() -> None:
    status, headers, body = _ask(_services(), "GET", "/v1/models", (b"if-none-match", b'W/"etag"'))
    assert (status, headers["etag"], body) == (304, '"etag"', b"")


def test_a_body_that_does_not_fit_has_the_general_shape(monkeypatch: pytest.MonkeyPatch) -> None:
    def add(api: FastAPI, _: ApiServices) -> None:
        @api.get("/counted")
        async def counted(count: int) -> int:
            return count

    monkeypatch.setattr(api_module, "_add_health", add)
    status, headers, body = _ask(_services(), "GET", "/counted")
    error = json.loads(body)["error"]
    assert (status, error["code"], error["request_id"]) == (400, Code.BAD_REQUEST, headers["x-request-id"])
