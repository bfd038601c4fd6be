"""Default deny: a route either says who may call it, or is one of the few that are known to be open or old."""

from tidy.test_documents import GENERATOR
from tollway.http.management.call import Access

OPEN = {"/health", "/healthz", "/readyz", "/metrics", "/v1/models", "/api/gateway/models", "/api/openrouter/models"}
CATALOG = ("/api/gateway/", "/api/openrouter/", "/api/organizations/{organization_id}/defaults", "/api/defaults")
CHECKED_BY_THEMSELVES = (
    *CATALOG,
    "/api/cron/",
    "/api/custom-upstreams",
    "/api/organizations/{organization_id}/models",
    "/alerting/",
    "/ingest/",
)
OPEN_BY_NATURE = {
    ("GET", "/api/admin/v1/openapi.json"),
    ("POST", "/api/device-auth/codes"),
    ("GET", "/api/device-auth/codes/{code}"),
    ("GET", "/device-auth"),
}


def test_every_route_says_who_may_call_it() -> None:
    silent = [
        route.path
        for route in GENERATOR.served()
        if "x-access" not in (getattr(route, "openapi_extra", None) or {})
        and route.path not in OPEN
        and not route.path.startswith(CHECKED_BY_THEMSELVES)
    ]
    assert silent == []


def test_what_is_open_to_anyone_is_written_down_here() -> None:
    found = {
        (method, route.path)
        for route in GENERATOR.served()
        if (getattr(route, "openapi_extra", None) or {}).get("x-access") == Access.ANYONE.name.lower()
        for method in route.methods or ()
    }
    assert found == OPEN_BY_NATURE
