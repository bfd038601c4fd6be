"""Management of custom upstreams over HTTP: `/api/custom-upstreams…`.

The owner is the organization that the query names (`organizationId`), or that the key is bound to; else the user. No
answer has a secret in it. Source: request-path 12.10, catalog-and-clients E.1.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Final

from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse

from tollway.admin.ownership import MANAGERS, Actor, check_access
from tollway.admin.probe_limits import ProbeLimits
from tollway.admin.upstream_probes import Asking, discover_models, entered_place, stored_place, try_upstream
from tollway.admin.upstream_records import CustomUpstream, NewUpstream, UpstreamChange
from tollway.admin.upstreams import (
    UpstreamDesk,
    change_upstream,
    check_place,
    create_upstream,
    delete_upstream,
    find_upstream,
    list_upstreams,
)
from tollway.errors import Code, Problem
from tollway.http.callers import Callers, Denied
from tollway.http.problems import waiting_headers
from tollway.http.security_events import note_change
from tollway.identity.offered import OfferedStore, listed
from tollway.identity.owned import Owner, OwnerKind
from tollway.wire.json_body import BodyError, decode_object

ROOT: Final = "/api/custom-upstreams"

_FIELDS: Final = frozenset(
    {"provider_id", "display_name", "base_url", "api_key", "extra_headers", "model_metadata", "is_enabled"}
)
_NEEDED: Final = ("provider_id", "display_name", "base_url", "api_key")
_PLACE: Final = frozenset({"base_url", "api_key", "extra_headers"})


@dataclass(frozen=True, slots=True)
class UpstreamServices:
    """`desk(actor)`: the use cases on behalf of one caller."""

    callers: Callers
    desk: Callable[[Actor], UpstreamDesk]
    ask: Asking
    limits: ProbeLimits
    offered: OfferedStore


@dataclass(frozen=True, slots=True)
class UpstreamCall:
    """One request, once it is known whose rows it is about. `body` is empty where there is none.

    `manages`: whether the caller may change them.
    """

    user_id: str
    owner: Owner
    desk: UpstreamDesk
    body: dict[str, Any]
    manages: bool


Handler = Callable[[UpstreamServices, UpstreamCall, str], Awaitable[Response | Problem]]


def add_custom_upstreams(api: FastAPI, services: UpstreamServices) -> None:
    def add(method: str, path: str, handler: Handler) -> None:
        async def route(request: Request, upstream_id: str = "") -> Response:
            return await _answer(services, request, handler, upstream_id)

        api.add_api_route(f"{ROOT}{path}", route, methods=[method], name=handler.__name__)

    add("GET", "", answer_list)
    add("POST", "", answer_create)
    add("GET", "/models", answer_models)
    add("POST", "/discover", answer_discover)
    add("GET", "/{upstream_id}", answer_show)
    add("PATCH", "/{upstream_id}", answer_change)
    add("DELETE", "/{upstream_id}", answer_delete)
    add("POST", "/{upstream_id}/test", answer_test)


async def _answer(services: UpstreamServices, request: Request, handler: Handler, upstream_id: str) -> Response:
    caller = await services.callers.identify(request, request.query_params.get("organizationId", ""))
    if isinstance(caller, Denied):
        return caller.answer
    try:
        text = await request.body()
        body = decode_object(text) if text else {}
    except BodyError:
        return _refusal(Problem(Code.BAD_REQUEST, shown="body: must be a JSON object"))
    organization = caller.organization_id
    owner = Owner(OwnerKind.ORGANIZATION, organization) if organization else Owner(OwnerKind.USER, caller.user_id)
    desk, manages = services.desk(Actor(caller.user_id)), caller.role is None or caller.role in MANAGERS
    result = await handler(services, UpstreamCall(caller.user_id, owner, desk, body, manages), upstream_id)
    if request.method != "GET":
        await services.callers.heed_changes()
        if organization is None and not isinstance(result, Problem):
            note_change(request, handler.__name__.replace("answer_", "upstream_"), caller)
    return _refusal(result) if isinstance(result, Problem) else result


def _refusal(problem: Problem) -> Response:
    return JSONResponse(
        {"error": problem.shown or problem.entry.message}, problem.http_status, waiting_headers(problem)
    )


async def answer_list(_: UpstreamServices, call: UpstreamCall, __: str) -> Response | Problem:
    found = await list_upstreams(call.desk, call.owner)
    return found if isinstance(found, Problem) else JSONResponse([_shown(one, call.manages) for one in found])


async def answer_models(services: UpstreamServices, call: UpstreamCall, _: str) -> Response:
    """Without an organization: of all that the caller belongs to as well."""
    organization = call.owner.id if call.owner.kind is OwnerKind.ORGANIZATION else None
    offered = await services.offered.offered(call.user_id, organization)
    return JSONResponse({"data": listed(offered)})


async def answer_show(_: UpstreamServices, call: UpstreamCall, upstream_id: str) -> Response | Problem:
    found = await find_upstream(call.desk, call.owner, upstream_id, to_change=False)
    return found if isinstance(found, Problem) else JSONResponse(_shown(found.upstream, call.manages))


async def answer_create(_: UpstreamServices, call: UpstreamCall, __: str) -> Response | Problem:
    refused = _unknown(call.body, _FIELDS)
    if refused is not None:
        return refused
    order = NewUpstream(**dict.fromkeys(_NEEDED) | call.body)
    made = await create_upstream(call.desk, call.owner, order)
    return made if isinstance(made, Problem) else JSONResponse(_shown(made, call.manages), status_code=201)


async def answer_change(_: UpstreamServices, call: UpstreamCall, upstream_id: str) -> Response | Problem:
    refused = _unknown(call.body, _FIELDS)
    if refused is not None:
        return refused
    changed = await change_upstream(call.desk, call.owner, upstream_id, UpstreamChange(**call.body))
    return changed if isinstance(changed, Problem) else JSONResponse(_shown(changed, call.manages))


async def answer_delete(_: UpstreamServices, call: UpstreamCall, upstream_id: str) -> Response | Problem:
    removed = await delete_upstream(call.desk, call.owner, upstream_id)
    return removed if isinstance(removed, Problem) else JSONResponse({"success": True})


async def answer_test(services: UpstreamServices, call: UpstreamCall, upstream_id: str) -> Response | Problem:
    row = await find_upstream(call.desk, call.owner, upstream_id)
    if isinstance(row, Problem):
        return row
    place = stored_place(row, call.desk.rules.outbound, call.desk.sealer)
    refused = _unknown(call.body, frozenset({"model"})) or services.limits.take(call.owner)
    if refused is not None:
        return refused
    if isinstance(place, Problem):
        return place
    tested = await try_upstream(services.ask, place, row, call.body.get("model"))
    if isinstance(tested, Problem):
        return tested
    return JSONResponse({"success": tested.success, "message": tested.message})


async def answer_discover(services: UpstreamServices, call: UpstreamCall, _: str) -> Response | Problem:
    """Of a stored upstream (`id`), or of one whose address and key are in the body: a stored key goes nowhere else."""
    refused = await check_access(call.desk.store, call.desk.actor, call.owner, to_change=True)
    refused = refused or services.limits.take(call.owner)
    if refused is not None:
        return refused
    rules, body = call.desk.rules, call.body
    if "id" in body:
        row = await find_upstream(call.desk, call.owner, str(body["id"]))
        unknown = _unknown(body, frozenset({"id"}))
        place = unknown or (row if isinstance(row, Problem) else stored_place(row, rules.outbound, call.desk.sealer))
    else:
        place = _unknown(body, _PLACE) or entered_place(
            body.get("base_url"), body.get("api_key"), body.get("extra_headers"), rules.outbound
        )
    if isinstance(place, Problem):
        return place
    checked = await check_place(place.address.text, rules)
    models = checked if isinstance(checked, Problem) else await discover_models(services.ask, place)
    return models if isinstance(models, Problem) else JSONResponse({"models": models})


def _unknown(body: dict[str, Any], known: frozenset[str]) -> Problem | None:
    """What could be set by mistake, or by one who hopes for it, is named rather than overlooked."""
    if set(body) <= known:
        return None
    return Problem(Code.BAD_REQUEST, shown=f"body: may only have {', '.join(sorted(known))}")


def _shown(one: CustomUpstream, manages: bool) -> dict[str, Any]:
    """Members who manage nothing see neither the address nor the names of headers."""
    shown = {
        "id": one.id,
        "provider_id": one.provider_id,
        "display_name": one.display_name,
        "model_metadata": one.model_metadata,
        "is_enabled": one.is_enabled,
        "has_extra_headers": bool(one.header_names),
        "created_at": _instant(one.created_at),
        "updated_at": _instant(one.updated_at),
        "created_by": one.created_by,
    }
    if manages:
        shown |= {"base_url": one.base_url, "extra_header_names": list(one.header_names)}
    return shown


def _instant(at: Any) -> str:
    return str(at.isoformat()).replace("+00:00", "Z")
