"""`GET /api/cron/sync-providers`: one run of the catalog's sync, for a scheduler outside.

Source: catalog-and-clients A.4.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from hmac import compare_digest
from typing import Final

from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse

from tollway.admin.sync import SyncResult
from tollway.errors import Code, Problem
from tollway.http.problems import problem_body

PATH: Final = "/api/cron/sync-providers"
UNAUTHORIZED: Final = {"error": "Unauthorized"}


@dataclass(frozen=True, slots=True)
class CronServices:
    """`secret` None: nobody may call it."""

    secret: bytes | None
    run: Callable[[], Awaitable[SyncResult]]


def add_cron(api: FastAPI, services: CronServices) -> None:
    async def sync_providers(request: Request) -> Response:
        given = request.headers.get("authorization", "").encode("latin-1")
        if not services.secret or not compare_digest(given, b"Bearer " + services.secret):
            return JSONResponse(UNAUTHORIZED, status_code=401)
        return _answer(await services.run())

    api.add_api_route(PATH, sync_providers, methods=["GET"])


def _answer(result: SyncResult) -> Response:
    if result.outcome == "running":
        return JSONResponse({"status": "already running"})
    if result.outcome != "stored":
        body = problem_body(Problem(Code.INTERNAL_ERROR), "", historic=True)
        return Response(body, status_code=500, media_type="application/json")
    return JSONResponse(
        {
            "id": result.snapshot_id,
            "generated_at": result.generated_at,
            "total_models": result.total_models,
            "total_providers": result.total_providers,
            **{f"{name}_models": count for name, count in result.models.items()},
        }
    )
