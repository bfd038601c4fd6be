"""The ASGI side: everything that is not a hot route. FastAPI, because nothing here is in a hurry."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tollway.billing.store import StoreUnavailableError
from tollway.errors import Code, Problem
from tollway.http.account import add_account
from tollway.http.catalog import CatalogServices, add_catalog
from tollway.http.catalog_details import DetailServices, add_catalog_details
from tollway.http.cron import CronServices, add_cron
from tollway.http.custom_upstreams import UpstreamServices, add_custom_upstreams
from tollway.http.device_login import add_device_login
from tollway.http.management.api import add_management
from tollway.http.management.call import ManagementServices
from tollway.http.management.table import ROOT as MANAGEMENT
from tollway.http.observation import Observation, add_observation
from tollway.http.problems import problem_body
from tollway.http.routes import DROP_IN_PREFIXES, HOT_ROUTES
from tollway.ids import new_request_id
from tollway.observability.logs import get_log
from tollway.observability.metrics import Metrics

_log = get_log()
_HOT_PATHS = {path.decode() for path in HOT_ROUTES}
_PREFIXES = tuple(prefix.decode() for prefix in DROP_IN_PREFIXES)


@dataclass(frozen=True, slots=True)
class ApiServices:
    """What the ASGI side needs. `checks` are the dependencies of readiness by name: True when well.

    `custom_upstreams`, `management` None: the operator has turned them off. `cron` None: nothing is synced here.
    """

    catalog: CatalogServices
    details: DetailServices
    cron: CronServices | None
    custom_upstreams: UpstreamServices | None
    checks: Mapping[str, Callable[[], Awaitable[bool]]]
    is_draining: Callable[[], bool]
    metrics: Metrics
    management: ManagementServices | None = None
    observation: Observation | None = None  # None: its routes let nobody in


def build_api(services: ApiServices) -> ASGIApp:
    """The application with its routes, and the headers that every answer carries."""
    api = FastAPI(title="Tollway", openapi_url=None, docs_url=None, redoc_url=None, redirect_slashes=False)
    _add_health(api, services)
    add_catalog(api, services.catalog)
    add_catalog_details(api, services.details)
    if services.cron is not None:
        add_cron(api, services.cron)
    if services.custom_upstreams is not None:
        add_custom_upstreams(api, services.custom_upstreams)
    if services.management is not None:
        add_management(api, services.management)
        add_account(api, services.management)
        add_device_login(api, services.management)
    add_observation(api, services.observation)
    api.add_exception_handler(HTTPException, _http_problem)
    api.add_exception_handler(RequestValidationError, _invalid_request)
    api.add_exception_handler(StoreUnavailableError, _store_unavailable)
    api.add_exception_handler(Exception, _internal_error)
    return _Envelope(api)


def _add_health(api: FastAPI, services: ApiServices) -> None:
    @_get(api, "/health")
    @_get(api, "/healthz")
    async def health() -> dict[str, str]:
        return {"status": "ok"}

    @_get(api, "/readyz")
    async def readyz() -> Response:
        results = {name: await check() for name, check in services.checks.items()}
        results["draining"] = not services.is_draining()
        failing = sorted(name for name, well in results.items() if not well)
        body = {"status": "failing", "failing": failing} if failing else {"status": "ready"}
        return JSONResponse(body, status_code=503 if failing else 200)

    @_get(api, "/metrics")
    async def metrics() -> Response:
        return Response(services.metrics.render(), media_type="text/plain; version=0.0.4; charset=utf-8")


def _get(api: FastAPI, path: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """A route for GET and HEAD."""
    return api.api_route(path, methods=["GET", "HEAD"])


async def _http_problem(request: Request, error: Any) -> Response:
    """Starlette's own refusals. Source: request-path 1.2 and 1.3."""
    path = request.url.path
    if path.startswith(_PREFIXES):
        return _answer(Problem(Code.INVALID_PATH), request, historic=True)
    if path in _HOT_PATHS:
        return _answer(Problem(Code.METHOD_NOT_ALLOWED), request, {"allow": "POST"})
    if error.status_code == 405:
        return _answer(Problem(Code.METHOD_NOT_ALLOWED), request, error.headers)
    if error.status_code == 404:
        return _answer(Problem(Code.NOT_FOUND), request, historic=not path.startswith(MANAGEMENT))
    return _answer(Problem(Code.BAD_REQUEST, status=error.status_code), request, error.headers)


async def _invalid_request(request: Request, _: Exception) -> Response:
    return _answer(Problem(Code.BAD_REQUEST), request)


async def _store_unavailable(request: Request, error: Exception) -> Response:
    return _answer(Problem(Code.LEDGER_UNAVAILABLE, str(error)), request, {"retry-after": "1"})


async def _internal_error(request: Request, error: Exception) -> Response:
    _log.error("internal_error", error=error, request_id=request.state.request_id)
    historic = not request.url.path.startswith(MANAGEMENT)
    return _answer(Problem(Code.INTERNAL_ERROR), request, historic=historic)


def _answer(
    problem: Problem, request: Request, headers: Mapping[str, str] | None = None, historic: bool = False
) -> Response:
    body = problem_body(problem, request.state.request_id, historic)
    return Response(body, status_code=problem.http_status, media_type="application/json", headers=headers)


class _Envelope:
    """Puts the headers of every answer on every answer."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id = new_request_id()
        scope.setdefault("state", {})["request_id"] = request_id

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = message.setdefault("headers", [])
                headers += [(b"x-request-id", request_id.encode()), (b"x-content-type-options", b"nosniff")]
                if not any(name == b"cache-control" for name, _ in headers):
                    headers.append((b"cache-control", b"no-store"))
            await send(message)

        await self._app(scope, receive, send_with_headers)
