"""Guarantees E: whatever breaks behind any route, its answer has the one shape and says nothing of what broke."""

from functools import cache
from typing import Any

import pytest
from starlette.routing import Route

from tidy.test_documents import GENERATOR
from tollway.http.api import ApiServices, build_api
from tollway.http.catalog import CatalogServices
from tollway.http.catalog_details import DetailServices
from tollway.http.cron import CronServices
from tollway.http.custom_upstreams import UpstreamServices
from tollway.http.management.call import ManagementServices
from tollway.observability.metrics import Metrics
from unit.http.asgi import SecretError, ask

SECRET = "SELECT pepper FROM users; /srv/tollway/app.py"
KEY = "tw_live_x"
UUID = "0f0e0d0c-0b0a-4908-8706-050403020100"


class Breaks:
    """Whatever is asked of it."""

    def __getattr__(self, _: str) -> Any:
        return Breaks()

    def __call__(self, *_: object, **__: object) -> Any:
        raise SecretError(SECRET)

    def __bool__(self) -> bool:
        return True


@cache
def application() -> Any:
    broken: Any = Breaks()
    upstreams = UpstreamServices(*[broken] * 5)
    management = ManagementServices(
        **dict.fromkeys(ManagementServices.__slots__, broken) | {"upstreams": upstreams, "body_bytes_max": 1_000}
    )
    return build_api(
        ApiServices(
            CatalogServices(*[broken] * 4),
            DetailServices(*[broken] * 6),
            CronServices(KEY.encode(), broken),
            upstreams,
            {"database": broken},
            lambda: False,
            Metrics(),
            management=management,
        )
    )


def questions() -> list[tuple[str, str]]:
    routes: list[Route] = list(GENERATOR.served())
    return sorted(
        (method, route.path.replace(":path}", "}"))
        for route in routes
        for method in route.methods or ()
        if method != "HEAD"
    )


def filled(path: str) -> str:
    parts = (part if not part.startswith("{") else UUID for part in path.split("/"))
    return "/".join(parts)


@pytest.mark.parametrize(("method", "path"), questions())
def test_what_broke_is_not_told(method: str, path: str) -> None:
    body = b"{}" if method in ("POST", "PATCH", "PUT") else b""
    answer = ask(
        application(), method, filled(path), body, authorization=f"Bearer {KEY}", content_type="application/json"
    )
    told = answer.body.decode() + str(answer.headers)
    for word in ("SELECT", "srv", "SecretError", "Traceback", "site-packages"):
        assert word not in told
    if answer.status >= 500 and path != "/readyz":
        assert answer.status == 500
        error = answer.json["error"]
        assert error == "Internal server error" or (error["code"], error["type"]) == ("internal_error", "server_error")
    else:
        assert answer.status < 500 or path == "/readyz"


def test_most_of_them_broke() -> None:
    """Otherwise the test above would be about refusals alone."""
    answers = [ask(application(), method, filled(path), authorization=f"Bearer {KEY}") for method, path in questions()]
    assert sum(answer.status == 500 for answer in answers) > len(answers) // 2
