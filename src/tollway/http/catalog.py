"""The catalog on the wire: public pages made once per snapshot, and what only its caller may see.

Clients ask before they know whether their credential is good, so a bad one is none; but whoever names an organization
must be its member, and never gets the public list instead. Source: catalog-and-clients B; request-path 12.8.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from hashlib import sha256
from typing import Final

from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse

from tollway.admin.snapshot_reading import Synced
from tollway.catalog.listing import page_of
from tollway.http.callers import Callers, Denied
from tollway.http.routes import DROP_IN_PREFIXES
from tollway.identity.caller import Caller

PRIVATE: Final = "private, no-store"
PUBLIC: Final = "public, max-age=0, s-maxage=60"
VARY: Final = "Authorization, X-KiloCode-OrganizationId"
NO_MODELS: Final = {"error": "Service Unavailable", "message": "Models data not yet available"}
NO_PROVIDERS: Final = {"error": "Service Unavailable", "message": "Providers data not yet available"}
NO_SNAPSHOT: Final = {"error": "No models data found in database"}
RETRY_AFTER: Final = {"retry-after": "5"}
_PREFIXES: Final = tuple(prefix.decode() for prefix in DROP_IN_PREFIXES)
_EMPTY: Final = page_of(())


@dataclass(frozen=True, slots=True)
class Page:
    """A ready body with its ETag; made once per catalog snapshot."""

    body: bytes
    etag: str


@dataclass(frozen=True, slots=True)
class CatalogServices:
    """`public` for everybody, None while there is nothing to show; `own(caller)` for one caller, with their
    organization if they name one; `synced` is the newest snapshot, if there is any."""

    public: Callable[[], Page | None]
    own: Callable[[Caller], Awaitable[bytes]]
    callers: Callers
    synced: Callable[[], Awaitable[Synced | None]]


def page(body: bytes) -> Page:
    return Page(body, f'"{sha256(body).hexdigest()[:32]}"')


def add_catalog(api: FastAPI, services: CatalogServices) -> None:
    async def models(request: Request) -> Response:
        viewer = await viewer_of(request, services.callers)
        if isinstance(viewer, Response):
            return viewer
        return _public_models(request, services) if viewer is None else await _own(services, viewer)

    async def organization_models(request: Request, organization_id: str) -> Response:
        caller = await services.callers.identify(request, organization_id)
        if isinstance(caller, Denied):
            return caller.answer if caller.status == 401 else denied(caller)
        return await _own(services, caller)

    async def providers(request: Request) -> Response:
        viewer = await viewer_of(request, services.callers)
        if isinstance(viewer, Response):
            return viewer
        synced = await services.synced()
        if synced is None:
            return _unavailable(NO_PROVIDERS)
        return _shown(request, page(synced.providers), PUBLIC if viewer is None else PRIVATE)

    async def models_by_provider(request: Request) -> Response:
        viewer = await viewer_of(request, services.callers)
        if isinstance(viewer, Response):
            return viewer
        synced = await services.synced()
        if synced is None:
            return JSONResponse(NO_SNAPSHOT, status_code=404)
        return _shown(request, page(synced.by_provider), "max-age=0, s-maxage=60" if viewer is None else PRIVATE)

    for path in ("/v1/models", *(f"{prefix}models" for prefix in _PREFIXES)):
        api.add_api_route(path, models, methods=["GET", "HEAD"])
    for prefix in _PREFIXES:
        api.add_api_route(f"{prefix}providers", providers, methods=["GET", "HEAD"])
        api.add_api_route(f"{prefix}models-by-provider", models_by_provider, methods=["GET", "HEAD"])
    api.add_api_route("/api/organizations/{organization_id}/models", organization_models, methods=["GET", "HEAD"])


async def viewer_of(request: Request, callers: Callers) -> Caller | Response | None:
    """Who looks: None for the public, a refusal for those who name an organization that is not theirs."""
    if "authorization" not in request.headers:
        return None
    organization = organization_in(request)
    caller = await callers.identify(request, organization)
    if isinstance(caller, Caller):
        return caller
    if not organization:
        return None
    return denied(Denied(403, caller.message) if caller.status == 401 else caller)


async def _own(services: CatalogServices, caller: Caller) -> Response:
    body = await services.own(caller)
    if body == _EMPTY and services.public() is None:
        return _unavailable(NO_MODELS)
    return Response(body, media_type="application/json", headers={"cache-control": PRIVATE})


def _public_models(request: Request, services: CatalogServices) -> Response:
    found = services.public()
    return _unavailable(NO_MODELS) if found is None else _shown(request, found, PUBLIC)


def denied(denied: Denied) -> Response:
    body = {"error": denied.message, "message": denied.message}
    return JSONResponse(body, status_code=denied.status, headers=denied.headers)


def organization_in(request: Request) -> str:
    """The organization that the headers name, or ""."""
    headers = request.headers
    return headers.get("x-tollway-organizationid") or headers.get("x-kilocode-organizationid") or ""


def _unavailable(body: dict[str, str]) -> Response:
    return JSONResponse(body, status_code=503, headers=RETRY_AFTER)


def _shown(request: Request, found: Page, cache_control: str) -> Response:
    if cache_control == PRIVATE:
        return Response(found.body, media_type="application/json", headers={"cache-control": PRIVATE})
    headers = {"cache-control": cache_control, "etag": found.etag, "vary": VARY}
    if _is_known(found.etag, request.headers.get("if-none-match", "")):
        return Response(status_code=304, headers=headers)
    return Response(found.body, media_type="application/json", headers=headers)


def _is_known(etag: str, if_none_match: str) -> bool:
    """Weak comparison with a list of tags (RFC 9110 §13.1.2)."""
    known = [one.strip().removeprefix("W/") for one in if_none_match.split(",")]
    return etag in known or "*" in known
