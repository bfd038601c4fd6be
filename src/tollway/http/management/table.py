"""The routes of the management API: nothing is served here that does not say who may call it.

Before a handler runs, in this order: who calls and whether they may, how large the body is and whether it is JSON of
one meaning, whether the same was asked before (`Idempotency-Key`), whether each field is what it should be. Handlers
answer with a value or a Problem. Source: catalog-and-clients E.1; guarantees A3, E, M10.
"""

from collections.abc import Awaitable, Callable, Coroutine, Sequence
from dataclasses import dataclass
from functools import wraps
from typing import Any, Final, Generic, TypeVar

from fastapi import APIRouter, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from fastapi.routing import APIRoute
from pydantic import BaseModel, ConfigDict

from tollway.admin.answers import Answer, Asked, asked
from tollway.admin.key_changes import check_unlimited
from tollway.admin.records import Page
from tollway.errors import Code, Problem
from tollway.http.management.call import ORGANIZATION, Access, Call, ManagementServices, admit
from tollway.http.problems import problem_body, waiting_headers
from tollway.http.security_events import note_change
from tollway.wire.json_body import BodyError, decode_object

ROOT: Final = "/api/admin/v1"
REPLAYED: Final = "Idempotent-Replayed"

T = TypeVar("T")
Handler = Callable[..., Awaitable[Any]]
Serve = Callable[[Request], Coroutine[Any, Any, Response]]


class Body(BaseModel):
    """Of a request: what is not named here is refused, so nothing else can be set."""

    model_config = ConfigDict(extra="forbid", strict=True)


class Listing(BaseModel, Generic[T]):
    """A page, newest first. With `next_cursor` as `cursor` the next one is asked for; null: there is no more."""

    data: list[T]
    next_cursor: str | None


class Done(BaseModel):
    success: bool = True


class ErrorFields(BaseModel):
    message: str
    type: str
    code: str
    request_id: str


class ErrorBody(BaseModel):
    error: ErrorFields


def page_of(rows: Sequence[T], page: Page) -> Listing[T]:
    """What a store gave for `page`."""
    last: Any = rows[-1] if len(rows) == page.limit else None
    return Listing[Any](data=list(rows), next_cursor=last and last.id)


@dataclass(frozen=True, slots=True)
class Table:
    """Where routes are put: below `root`."""

    router: APIRouter
    services: ManagementServices
    root: str = ROOT

    def add(
        self,
        method: str,
        path: str,
        access: Access,
        handler: Handler,
        answer: Any = None,
        *,
        status: int = 200,
        once: bool = False,
    ) -> None:
        """`answer`: the type of what the handler gives. `once`: it creates, so an `Idempotency-Key` counts."""
        self.router.add_api_route(
            f"{self.root}{path}",
            _answering(handler),
            methods=[method],
            response_model=answer,
            status_code=status,
            name=handler.__name__,
            operation_id=handler.__name__,
            description=f"{(handler.__doc__ or '').strip()} Who may call: {access.value}.".strip(),
            responses={"4XX": {"model": ErrorBody}, "5XX": {"model": ErrorBody}},
            openapi_extra=_described(path, access),
            route_class_override=_guarded(self.services, access, once),
        )


def _described(path: str, access: Access) -> dict[str, Any]:
    """What the signature of a handler does not tell."""
    if access is Access.ANYONE:
        return {"x-access": access.name.lower()}
    schema = {"type": "string", "format": "uuid"}
    parameters: list[dict[str, Any]] = []
    if "{organization_id}" in path:
        parameters = [{"name": "organization_id", "in": "path", "required": True, "schema": schema}]
    elif access in (Access.LOOK, Access.CHANGE):
        parameters = [{"name": ORGANIZATION, "in": "query", "required": False, "schema": schema}]
    return {"x-access": access.name.lower(), "security": [{"bearer": []}], "parameters": parameters}


def refuse(problem: Problem, request: Request) -> Response:
    body = problem_body(problem, request.state.request_id, historic=False)
    return Response(body, problem.http_status, waiting_headers(problem), "application/json")


def _answering(handler: Handler) -> Handler:
    """A Problem becomes an error answer."""

    @wraps(handler)
    async def answer(*arguments: Any, **named: Any) -> Any:
        result = await handler(*arguments, **named)
        if isinstance(result, Problem):
            return _Refused(result)
        return result

    return answer


class _Refused(JSONResponse):
    """Filled in where the request is known."""

    def __init__(self, problem: Problem) -> None:
        super().__init__({}, status_code=problem.http_status)
        self.problem = problem


def _guarded(services: ManagementServices, access: Access, once: bool) -> type[APIRoute]:
    class Guarded(APIRoute):
        def get_route_handler(self) -> Serve:
            inner = super().get_route_handler()

            async def serve(request: Request) -> Response:
                answer = await _serve(services, access, once, request, inner)
                return refuse(answer, request) if isinstance(answer, Problem) else answer

            return serve

    return Guarded


async def _serve(
    services: ManagementServices, access: Access, once: bool, request: Request, inner: Serve
) -> Response | Problem:
    if access is not Access.ANYONE:
        call = await admit(services, request, access)
        if isinstance(call, Problem):
            return call
        request.state.call = call
    body = await request.body()
    refused = _check_body(request, body, services.body_bytes_max)
    if refused is not None:
        return refused
    key = request.headers.get("idempotency-key")
    if once and key is not None:
        return await _once(services, request, key, body, inner)
    return await _run(services, request, inner)


async def _run(services: ManagementServices, request: Request, inner: Serve) -> Response | Problem:
    try:
        answer = await inner(request)
    except RequestValidationError as error:
        return _invalid(error)
    if request.method != "GET":
        await services.callers.heed_changes()
    if isinstance(answer, _Refused):
        return answer.problem
    if request.method != "GET" and request.state.call.organization is None:
        note_change(request, request.scope["route"].name, request.state.call.caller)
    return answer


async def _once(
    services: ManagementServices, request: Request, key: str, body: bytes, inner: Serve
) -> Response | Problem:
    call: Call = request.state.call
    route = f"{await _account(call)} {request.method} {request.url.path}?{request.url.query}"
    asking = asked(call.caller.user_id, route, key, body, services.now())
    first = await services.answers.begin(asking) if isinstance(asking, Asked) else asking
    if isinstance(first, Problem):
        return first
    if first is not None:
        return Response(first.text, first.status, {REPLAYED: "true"}, "application/json")
    assert isinstance(asking, Asked)
    answer = await _run(services, request, inner)
    if isinstance(answer, Problem):
        await services.answers.end(asking, Answer(answer.http_status, ""))
    else:
        await services.answers.end(asking, Answer(answer.status_code, bytes(answer.body).decode()))
    return answer


async def _account(call: Call) -> str:
    """Whose answers are given once more: those of one owner, and to a key that is limited itself only its own, or it
    would be shown a key that it may not make."""
    account, key_id = f"{call.owner.kind}:{call.owner.id}", call.caller.key_id
    is_limited = await check_unlimited(call.services.store, key_id) is not None
    return f"{account}:{key_id}" if is_limited else account


def _check_body(request: Request, body: bytes, most: int) -> Problem | None:
    if not body:
        return None
    if len(body) > most:
        return Problem(Code.BODY_TOO_LARGE)
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type != "application/json" or request.headers.get("content-encoding", "identity") != "identity":
        return Problem(Code.UNSUPPORTED_MEDIA_TYPE)
    try:
        decode_object(body)
    except BodyError as error:
        return Problem(Code.BAD_REQUEST, str(error), shown="body: must be a JSON object")
    return None


def _invalid(error: RequestValidationError) -> Problem:
    """Names the field and what is wrong with it, never what was entered."""
    first = error.errors()[0]
    where, *names = (str(one) for one in first["loc"])
    field = ".".join(names) or where
    if first["type"] == "extra_forbidden":
        return Problem(Code.BAD_REQUEST, shown="body: has a field that is not known here")
    return Problem(Code.BAD_REQUEST, f"{field}: {first['type']}", shown=f"{field}: {first['msg']}")
