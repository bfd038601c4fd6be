"""Custom upstreams: `/custom-upstreams…`, over the handlers of `/api/custom-upstreams` (request-path 12.10)."""

from typing import Annotated, Any, Final

from fastapi import Response
from pydantic import Field

from tollway.admin.ownership import check_access
from tollway.errors import Problem
from tollway.http import custom_upstreams
from tollway.http.custom_upstreams import Handler, UpstreamCall
from tollway.http.management.call import Access, Call, Current
from tollway.http.management.table import Body, Table

ROOT: Final = "/custom-upstreams"

_Name = Annotated[str, Field(max_length=200)]
_Secret = Annotated[str, Field(max_length=8_192)]
_Headers = dict[str, str] | None


class NewUpstreamBody(Body):
    provider_id: _Name
    display_name: _Name
    base_url: Annotated[str, Field(max_length=2_048)]
    api_key: _Secret
    extra_headers: _Headers = None
    model_metadata: Annotated[dict[str, Any], Field(default_factory=dict)]
    is_enabled: bool = True


class UpstreamChangeBody(Body):
    """What is left out stays. With another scheme, host or port key and headers must be entered again."""

    provider_id: _Name = ""
    display_name: _Name = ""
    base_url: Annotated[str, Field(max_length=2_048)] = ""
    api_key: _Secret = ""
    extra_headers: _Headers = None
    model_metadata: Annotated[dict[str, Any], Field(default_factory=dict)]
    is_enabled: bool = True


class TestBody(Body):
    model: Annotated[str | None, Field(max_length=256)] = None


class DiscoverBody(Body):
    """A stored upstream (`id`), or address, key and headers of one that is not stored."""

    id: Annotated[str, Field(max_length=100)] = ""
    base_url: Annotated[str, Field(max_length=2_048)] = ""
    api_key: _Secret = ""
    extra_headers: _Headers = None


def add_upstreams(table: Table) -> None:
    table.add("GET", ROOT, Access.LOOK, list_upstreams)
    table.add("POST", ROOT, Access.CHANGE, create_upstream, status=201, once=True)
    table.add("GET", f"{ROOT}/models", Access.LOOK, list_upstream_models)
    table.add("POST", f"{ROOT}/discover", Access.CHANGE, discover_models)
    table.add("GET", f"{ROOT}/{{upstream_id}}", Access.LOOK, show_upstream)
    table.add("PATCH", f"{ROOT}/{{upstream_id}}", Access.CHANGE, change_upstream)
    table.add("DELETE", f"{ROOT}/{{upstream_id}}", Access.CHANGE, delete_upstream)
    table.add("POST", f"{ROOT}/{{upstream_id}}/test", Access.CHANGE, try_upstream)


async def list_upstreams(call: Current) -> Response | Problem:
    """All of the owner, newest first."""
    return await _answer(call, custom_upstreams.answer_list)


async def create_upstream(call: Current, body: NewUpstreamBody) -> Response | Problem:
    """Register an endpoint; its key is never shown."""
    return await _answer(call, custom_upstreams.answer_create, body)


async def list_upstream_models(call: Current) -> Response | Problem:
    """Models of all custom upstreams that the caller may use."""
    return await _answer(call, custom_upstreams.answer_models)


async def discover_models(call: Current, body: DiscoverBody) -> Response | Problem:
    """What an endpoint lists as its models."""
    return await _answer(call, custom_upstreams.answer_discover, body)


async def show_upstream(call: Current, upstream_id: str) -> Response | Problem:
    """One of them."""
    return await _answer(call, custom_upstreams.answer_show, None, upstream_id)


async def change_upstream(call: Current, upstream_id: str, body: UpstreamChangeBody) -> Response | Problem:
    """Change one of them."""
    return await _answer(call, custom_upstreams.answer_change, body, upstream_id)


async def delete_upstream(call: Current, upstream_id: str) -> Response | Problem:
    """It is gone for good, with its secrets."""
    return await _answer(call, custom_upstreams.answer_delete, None, upstream_id)


async def try_upstream(call: Current, upstream_id: str, body: TestBody | None = None) -> Response | Problem:
    """Send it one tiny request."""
    return await _answer(call, custom_upstreams.answer_test, body, upstream_id)


async def _answer(call: Call, handler: Handler, body: Body | None = None, upstream_id: str = "") -> Response | Problem:
    services = call.services.upstreams
    assert services is not None
    entered = {} if body is None else body.model_dump(exclude_unset=True)
    desk = services.desk(call.actor)
    manages = await check_access(desk.store, call.actor, call.owner, to_change=True) is None
    return await handler(services, UpstreamCall(call.caller.user_id, call.owner, desk, entered, manages), upstream_id)
