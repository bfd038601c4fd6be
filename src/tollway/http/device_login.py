"""Login of devices: `/api/device-auth/…`. Source: catalog-and-clients B.12."""

from typing import Final
from urllib.parse import quote

from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse

from tollway.admin.device_logins import LIFE, HandedOut, LoginState
from tollway.admin.device_requesters import requester_of
from tollway.admin.key_changes import check_unlimited
from tollway.errors import Code, Problem
from tollway.http.callers import Denied
from tollway.http.device_page import PATH, add_device_page
from tollway.http.management.call import Access, ManagementServices
from tollway.http.problems import waiting_headers
from tollway.wire.json_body import BodyError, decode_object

CODES: Final = "/api/device-auth/codes"
TOKENS: Final = "/api/device-auth/tokens"
REQUESTS: Final = "/api/device-auth/requests"


def add_device_login(api: FastAPI, services: ManagementServices) -> None:
    async def begin_login(request: Request) -> Response:
        return await _begin(services, request)

    async def poll_login(code: str) -> Response:
        return await _poll(services, code)

    async def show_login(request: Request, code: str) -> Response:
        return await _show(services, request, code)

    async def approve_login(request: Request) -> Response:
        return await _decide(services, request, _code_in(await request.body()), approved=True)

    async def deny_login(request: Request, code: str) -> Response:
        return await _decide(services, request, code, approved=False)

    for method, path, access, handler, what in (
        ("POST", CODES, Access.ANYONE, begin_login, "A code for a device, which its user approves elsewhere."),
        ("GET", f"{CODES}/{{code}}", Access.ANYONE, poll_login, "Pending, denied, expired, or once: a key."),
        (
            "GET",
            f"{REQUESTS}/{{code}}",
            Access.SIGNED_IN,
            show_login,
            "Who asks with this code: user agent and address.",
        ),
        ("POST", TOKENS, Access.SIGNED_IN, approve_login, "Let the device with this code act for the caller."),
        ("DELETE", f"{CODES}/{{code}}", Access.SIGNED_IN, deny_login, "Refuse the device with this code."),
    ):
        extra = {"x-access": access.name.lower()}
        api.add_api_route(path, handler, methods=[method], name=handler.__name__, description=what, openapi_extra=extra)
    add_device_page(api)


async def _begin(services: ManagementServices, request: Request) -> Response:
    requester = requester_of(services.address_of(request), request.headers.get("user-agent"))
    code = await services.device_logins.begin(requester, services.now())
    if isinstance(code, Problem):
        return _refusal(code)
    url = f"{services.app_url.rstrip('/')}{PATH}?code={quote(code)}"
    return JSONResponse({"code": code, "verificationUrl": url, "expiresIn": int(LIFE.total_seconds())})


async def _poll(services: ManagementServices, code: str) -> Response:
    found = await services.device_logins.poll(code, services.now())
    if isinstance(found, HandedOut):
        await services.callers.heed_changes()
        return JSONResponse(
            {"status": "approved", "token": found.key, "userId": found.user_id, "userEmail": found.email}
        )
    if found is LoginState.PENDING:
        return JSONResponse({"status": "pending"}, 202)
    return JSONResponse({"status": "denied"}, 403) if found else JSONResponse({"status": "expired"}, 410)


async def _show(services: ManagementServices, request: Request, code: str) -> Response:
    caller = await services.callers.identify(request)
    if isinstance(caller, Denied):
        return caller.answer
    found = await services.device_logins.look_at(code, services.now())
    if isinstance(found, Problem):
        return _refusal(found)
    asks = found.requester
    return JSONResponse({"userAgent": asks.user_agent, "address": asks.address, "expiresIn": found.expires_in_s})


async def _decide(services: ManagementServices, request: Request, code: str, *, approved: bool) -> Response:
    """A key with a limit of its own would give itself one without; one that is bound, one that is not."""
    caller = await services.callers.identify(request)
    if isinstance(caller, Denied):
        return caller.answer
    refused = await check_unlimited(services.store, caller.key_id) if approved else None
    if approved and caller.organization_id is not None:
        refused = Problem(Code.FORBIDDEN, "the key is bound")
    refused = refused or await services.device_logins.decide(code, caller.user_id, services.now(), approved=approved)
    return JSONResponse({"success": True}) if refused is None else _refusal(refused)


def _code_in(body: bytes) -> str:
    """ "" when there is none."""
    try:
        code = decode_object(body).get("code")
    except BodyError:
        return ""
    return code if isinstance(code, str) else ""


def _refusal(problem: Problem) -> Response:
    body = {"error": problem.shown or problem.entry.message, "success": False}
    return JSONResponse(body, problem.http_status, waiting_headers(problem))
