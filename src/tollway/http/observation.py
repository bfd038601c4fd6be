"""Routes about requests as a whole: records of other gateways come in here, and alerts are configured.

All of them ask for the operator's token first, whatever else is wrong. Source: response-path 9.6 and 9.7.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from hmac import compare_digest
from typing import Final

from fastapi import FastAPI, Request, Response
from msgspec.json import encode

from tollway.admin.alert_rules import read_error_rate_rule, read_ttfb_rule
from tollway.observability.alerting.rules import watched_name
from tollway.observability.alerting.store import AlertStore
from tollway.observability.api_metrics import ApiMetric
from tollway.observability.received import Issue, read_struct

TOKEN_HEADER: Final = "x-o11y-admin-token"  # noqa: S105  (its name)
INGEST: Final = "/ingest/api-metrics"


@dataclass(frozen=True, slots=True, repr=False)
class Observation:
    """`token`: what callers must know. `keep` takes a record, unless too many wait. `now`: the present instant."""

    token: bytes
    keep: Callable[[ApiMetric], bool]
    alerts: AlertStore
    now: Callable[[], datetime]


_Handler = Callable[[Observation, Request], Awaitable[Response]]


def add_observation(api: FastAPI, observation: Observation | None) -> None:
    """Without an observation nobody gets in."""
    routes: tuple[tuple[str, str, _Handler], ...] = (
        ("POST", INGEST, _ingest),
        ("GET", "/alerting/config", _error_rate_rules),
        ("PUT", "/alerting/config", _put_error_rate),
        ("DELETE", "/alerting/config", _delete_error_rate),
        ("GET", "/alerting/ttfb-config", _ttfb_rules),
        ("PUT", "/alerting/ttfb-config", _put_ttfb),
        ("DELETE", "/alerting/ttfb-config", _delete_ttfb),
        ("GET", "/alerting/baseline", _error_baseline),
        ("GET", "/alerting/ttfb-baseline", _ttfb_baseline),
    )
    for method, path, handler in routes:
        api.add_api_route(path, _guarded(observation, handler), methods=[method])


def _guarded(observation: Observation | None, handler: _Handler) -> Callable[[Request], Awaitable[Response]]:
    async def endpoint(request: Request) -> Response:
        given = request.headers.get(TOKEN_HEADER, "").encode("latin-1")
        if observation is None or not compare_digest(given, observation.token):
            return _failure(401, "Unauthorized")
        return await handler(observation, request)

    return endpoint


async def _ingest(observation: Observation, request: Request) -> Response:
    read = read_struct(await request.body(), ApiMetric)
    if isinstance(read, tuple):
        return _invalid(read)
    if not observation.keep(read):
        return _failure(503, "Too many records wait", {"retry-after": "1"})
    return Response(status_code=204)


async def _error_rate_rules(observation: Observation, _: Request) -> Response:
    return _success(configs=await observation.alerts.error_rate_rules())


async def _ttfb_rules(observation: Observation, _: Request) -> Response:
    return _success(configs=await observation.alerts.ttfb_rules())


async def _put_error_rate(observation: Observation, request: Request) -> Response:
    rule = read_error_rate_rule(await request.body(), observation.now())
    if isinstance(rule, tuple):
        return _invalid(rule)
    await observation.alerts.put_error_rate(rule)
    return _success(config=rule)


async def _put_ttfb(observation: Observation, request: Request) -> Response:
    rule = read_ttfb_rule(await request.body(), observation.now())
    if isinstance(rule, tuple):
        return _invalid(rule)
    await observation.alerts.put_ttfb(rule)
    return _success(config=rule)


async def _delete_error_rate(observation: Observation, request: Request) -> Response:
    model = _model_in(request)
    if not model:
        return _no_model()
    await observation.alerts.delete_error_rate(model)
    return _success()


async def _delete_ttfb(observation: Observation, request: Request) -> Response:
    model = _model_in(request)
    if not model:
        return _no_model()
    await observation.alerts.delete_ttfb(model)
    return _success()


async def _error_baseline(observation: Observation, request: Request) -> Response:
    model = _model_in(request)
    if not model:
        return _no_model()
    return _success(baseline=await observation.alerts.error_baseline(model, observation.now()))


async def _ttfb_baseline(observation: Observation, request: Request) -> Response:
    model = _model_in(request)
    if not model:
        return _no_model()
    return _success(baseline=await observation.alerts.ttfb_baseline(model, observation.now()))


def _model_in(request: Request) -> str:
    """As records name it; one with a NUL cannot be stored, so there is none."""
    return watched_name(request.query_params.get("model", "").partition("\0")[0])


def _no_model() -> Response:
    return _failure(400, "model is required")


def _success(**fields: object) -> Response:
    return Response(encode({"success": True, **fields}), media_type="application/json")


def _failure(status: int, error: str, headers: dict[str, str] | None = None, **fields: object) -> Response:
    body = encode({"success": False, "error": error, **fields})
    return Response(body, status_code=status, media_type="application/json", headers=headers)


def _invalid(issues: tuple[Issue, ...]) -> Response:
    return _failure(400, "Invalid request body", issues=issues)
