"""The management API put together, and its description (OpenAPI 3.1), which is served without anything from outside."""

from asyncio import to_thread
from collections.abc import Sequence
from functools import cache
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from fastapi.routing import APIRoute

from tollway.http.management.call import Access, ManagementServices
from tollway.http.management.custom_llms import add_custom_llms
from tollway.http.management.keys import add_keys
from tollway.http.management.members import add_members
from tollway.http.management.organizations import add_organizations
from tollway.http.management.own_keys import add_bare_own_keys, add_own_keys
from tollway.http.management.records import add_records
from tollway.http.management.subscriptions import add_subscriptions
from tollway.http.management.table import ROOT, Table
from tollway.http.management.top_ups import add_top_ups
from tollway.http.management.upstreams import add_upstreams
from tollway.http.management.usage import add_usage
from tollway.http.management.users import add_users


def add_management(api: FastAPI, services: ManagementServices) -> None:
    table = Table(api.router, services)
    add_keys(table)
    add_own_keys(table)
    add_bare_own_keys(Table(api.router, services, "/api"))
    if services.upstreams is not None:
        add_upstreams(table)
    add_usage(table)
    add_organizations(table)
    add_members(table)
    add_custom_llms(table)
    add_users(table)
    add_subscriptions(table)
    add_top_ups(table)
    add_records(table)
    routes = [one for one in api.routes if isinstance(one, APIRoute) and one.path.startswith(ROOT)]
    description = cache(lambda: _description(routes))

    async def describe() -> dict[str, Any]:
        """This description."""
        return await to_thread(description)  # a quarter of a second, once, and not at every start

    table.add("GET", "/openapi.json", Access.ANYONE, describe, dict[str, Any])


def _description(routes: Sequence[APIRoute]) -> dict[str, Any]:
    described = get_openapi(title="Tollway management API", version="1", routes=routes)
    schemes = described.setdefault("components", {}).setdefault("securitySchemes", {})
    schemes["bearer"] = {"type": "http", "scheme": "bearer"}
    return described
