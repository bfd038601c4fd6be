"""The catalog on the wire: one public page made once per snapshot, and what only its caller may see.

Source: catalog-and-clients B.1, B.7; request-path 12.8.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse

from tollway.http.callers import Callers, Denied
from tollway.http.routes import DROP_IN_PREFIXES
from tollway.identity.caller import Caller

PRIVATE: Final = "private, no-store"
_PATHS: Final = ("/v1/models", *(f"{prefix.decode()}models" for prefix in DROP_IN_PREFIXES))


@dataclass(frozen=True, slots=True)
class Page:
    """A ready body with its ETag; made once per catalog snapshot."""

    body: bytes
    etag: str


@dataclass(frozen=True, slots=True)
class CatalogServices:
    """`public` for everybody; `own(caller)` for one caller, with their organization if they name one."""

    public: Callable[[], Page]
    own: Callable[[Caller], Awaitable[bytes]]
    callers: Callers


def add_catalog(api: FastAPI, services: CatalogServices) -> None:
    async def models(request: Request) -> Response:
        if "authorization" not in request.headers:
            return _public(request, services.public())
        organization = _organization(request)
        caller = await services.callers.identify(request, organization)
        if isinstance(caller, Caller):
            return await _own(services, caller)
        if not organization:  # clients ask before they know whether their credential is good
            return _public(request, services.public())
        return _denied(Denied(403, caller.message) if caller.status == 401 else caller)

    async def organization_models(request: Request, organization_id: str) -> Response:
        caller = await services.callers.identify(request, organization_id)
        if isinstance(caller, Denied):
            return caller.answer if caller.status == 401 else _denied(caller)
        return await _own(services, caller)

    for path in _PATHS:
        api.add_api_route(path, models, methods=["GET", "HEAD"])
    api.add_api_route("/api/organizations/{organization_id}/models", organization_models, methods=["GET", "HEAD"])


async def _own(services: CatalogServices, caller: Caller) -> Response:
    body = await services.own(caller)
    return Response(body, media_type="application/json", headers={"cache-control": PRIVATE})


def _denied(denied: Denied) -> Response:
    return JSONResponse({"error": denied.message, "message": denied.message}, status_code=denied.status)


def _organization(request: Request) -> str:
    headers = request.headers
    return headers.get("x-tollway-organizationid") or headers.get("x-kilocode-organizationid") or ""


def _public(request: Request, page: Page) -> Response:
    headers = {
        "cache-control": "public, max-age=0, s-maxage=60",
        "etag": page.etag,
        "vary": "Authorization, X-KiloCode-OrganizationId",
    }
    if _is_known(page.etag, request.headers.get("if-none-match", "")):
        return Response(status_code=304, headers=headers)
    return Response(page.body, media_type="application/json", headers=headers)


def _is_known(etag: str, if_none_match: str) -> bool:
    """Weak comparison with a list of tags (RFC 9110 §13.1.2)."""
    known = [one.strip().removeprefix("W/") for one in if_none_match.split(",")]
    return etag in known or "*" in known
