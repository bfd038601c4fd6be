"""More about the catalog: endpoints of one model, whether a model exists, and what clients begin with.

Source: catalog-and-clients B.7, B.11.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse
from msgspec import Struct, ValidationError, to_builtins
from msgspec.json import Decoder, encode

from tollway.admin.snapshot_reading import Synced
from tollway.catalog.defaults import Defaults
from tollway.catalog.feed.reading import is_id
from tollway.http.callers import Callers, Denied
from tollway.http.catalog import PRIVATE, VARY, denied, organization_in
from tollway.http.routes import DROP_IN_PREFIXES
from tollway.identity.caller import Caller

NOTHING_ALLOWED: Final = {"error": "No valid models are allowed by this organization's allow list."}
NOTHING_FOR_KEY: Final = {"error": "No valid models are allowed by the list of this key, or of its organization."}
NO_DEFAULTS: Final = {"error": "No default models are configured."}
NOT_FOUND: Final = {"error": {"message": "Not Found", "code": 404}}
USE_THE_ORGANIZATIONS: Final = {"error": "Ask the organization's own list: /api/organizations/{id}/models"}
BAD_MODEL: Final = {"error": "modelId must be a model id"}
_CACHED: Final = "public, max-age=0, s-maxage=60, stale-while-revalidate=60"


class _Question(Struct):
    modelId: str  # noqa: N815  (as on the wire)


_read: Final = Decoder(_Question).decode


@dataclass(frozen=True, slots=True)
class DetailServices:
    """`exists(id)`: whether the catalog has the model; of an empty catalog everything is believed. `of_everybody`,
    `of_caller` and `of_organization(id)`: what clients begin with; None where nothing is allowed, or configured."""

    callers: Callers
    synced: Callable[[], Awaitable[Synced | None]]
    exists: Callable[[str], bool]
    of_everybody: Callable[[], Defaults | None]
    of_caller: Callable[[Caller], Awaitable[Defaults | None]]
    of_organization: Callable[[str], Awaitable[Defaults | None]]


def add_catalog_details(api: FastAPI, services: DetailServices) -> None:
    async def endpoints(author: str, slug: str) -> Response:
        synced = await services.synced()
        model = (synced.payloads.openrouter or {}).get(f"{author}/{slug}") if synced else None
        if model is None:
            return JSONResponse(NOT_FOUND, status_code=404)
        body = encode({"data": {"id": model.id, "name": model.name, "endpoints": to_builtins(model.endpoints)}})
        return Response(body, media_type="application/json", headers={"cache-control": _CACHED})

    async def validate(request: Request) -> Response:
        if organization_in(request):
            return JSONResponse(USE_THE_ORGANIZATIONS, status_code=400)
        try:
            model_id = _read(await request.body()).modelId
        except (ValidationError, ValueError):
            return JSONResponse(BAD_MODEL, status_code=400)
        if not is_id(model_id):
            return JSONResponse(BAD_MODEL, status_code=400)
        is_there = services.exists(model_id.lower())
        return JSONResponse({"valid": True} if is_there else {"valid": False, "reason": "unavailable"})

    async def defaults(request: Request) -> Response:
        caller = await services.callers.identify(request) if "authorization" in request.headers else None
        if isinstance(caller, Caller):
            found = await services.of_caller(caller)
            if found is None and (caller.key_models or caller.organization_id):
                return JSONResponse(NOTHING_FOR_KEY, status_code=409)
            return _defaults(found, {"cache-control": PRIVATE})
        return _defaults(services.of_everybody(), {"vary": VARY})

    async def organization_defaults(request: Request, organization_id: str) -> Response:
        caller = await services.callers.identify(request, organization_id)
        if isinstance(caller, Denied):
            return caller.answer if caller.status == 401 else denied(caller)
        found = await services.of_organization(organization_id.lower())
        if found is None:
            return JSONResponse(NOTHING_ALLOWED, status_code=409)
        return _defaults(found, {"cache-control": PRIVATE})

    for prefix in DROP_IN_PREFIXES:
        root = f"{prefix.decode()}models"
        api.add_api_route(f"{root}/{{author}}/{{slug}}/endpoints", endpoints, methods=["GET", "HEAD"])
        api.add_api_route(f"{root}/validate", validate, methods=["POST"])
    api.add_api_route("/api/defaults", defaults, methods=["GET", "HEAD"])
    api.add_api_route("/api/organizations/{organization_id}/defaults", organization_defaults, methods=["GET", "HEAD"])


def _defaults(found: Defaults | None, headers: dict[str, str]) -> Response:
    if found is None:
        return JSONResponse(NO_DEFAULTS, status_code=404)
    return Response(encode(found), media_type="application/json", headers=headers)
