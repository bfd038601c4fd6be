"""The routes of records and alerts: who gets in, what is wrong with what they send, and what is stored."""

import asyncio
import json
from typing import Any

import pytest
from starlette.types import ASGIApp

from tollway.billing.store import StoreUnavailableError
from tollway.http.api import build_api
from tollway.http.observation import INGEST, Observation
from tollway.observability.alerting.rules import ErrorRateRule, TtfbRule
from tollway.observability.alerting.store import ErrorBaseline, TtfbBaseline
from unit.gateway.fakes import NOW
from unit.http.test_api import api_services

TOKEN = b"operators-only"
RULE = {"model": "Foo/Bar:free", "enabled": True, "errorRateSlo": 0.999, "minRequestsPerWindow": 10}
SLOW = {"model": "foo/bar", "enabled": False, "ttfbThresholdMs": 3000, "ttfbSlo": 0.95, "minRequestsPerWindow": 10}
METRIC = {
    "kiloUserId": "u",
    "isAnonymous": False,
    "isStreaming": False,
    "userByok": False,
    "provider": "p",
    "requestedModel": "m",
    "resolvedModel": "m",
    "toolsAvailable": [],
    "toolsUsed": [],
    "ttfbMs": 1,
    "completeRequestMs": 2,
    "statusCode": 200,
}


class Alerts:
    """Rules in memory; baselines of one model."""

    def __init__(self) -> None:
        self.error_rates: dict[str, ErrorRateRule] = {}
        self.ttfbs: dict[str, TtfbRule] = {}
        self.is_away = False

    async def error_rate_rules(self) -> tuple[ErrorRateRule, ...]:
        if self.is_away:
            raise StoreUnavailableError("gone")
        return tuple(self.error_rates.values())

    async def ttfb_rules(self) -> tuple[TtfbRule, ...]:
        return tuple(self.ttfbs.values())

    async def put_error_rate(self, rule: ErrorRateRule) -> None:
        self.error_rates[rule.model] = rule

    async def put_ttfb(self, rule: TtfbRule) -> None:
        self.ttfbs[rule.model] = rule

    async def delete_error_rate(self, model: str) -> None:
        self.error_rates.pop(model, None)

    async def delete_ttfb(self, model: str) -> None:
        self.ttfbs.pop(model, None)

    async def error_baseline(self, model: str, now: object) -> ErrorBaseline:
        return ErrorBaseline(model, 0.5, 0.25, 0.125, 2, 4, 8)

    async def ttfb_baseline(self, model: str, now: object) -> TtfbBaseline | None:
        return TtfbBaseline(model, 1, 2, 3, 4) if model == "foo/bar" else None


def api(observation: Observation | None) -> ASGIApp:
    return build_api(api_services(observation=observation))


async def ask(
    observation: Observation | None,
    method: str,
    path: str,
    body: bytes = b"",
    token: bytes | None = TOKEN,
    query: bytes = b"",
) -> tuple[int, bytes]:
    """Status and body, through the whole application."""
    messages: list[Any] = []

    async def receive() -> Any:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: Any) -> None:
        messages.append(message)

    scope: dict[str, Any] = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "root_path": "",
        "query_string": query,
        "headers": [] if token is None else [(b"x-o11y-admin-token", token)],
        "client": ("192.0.2.7", 1),
        "server": ("192.0.2.1", 80),
    }
    await api(observation)(scope, receive, send)
    return messages[0]["status"], b"".join(message.get("body", b"") for message in messages[1:])


def desk(alerts: Alerts | None = None, has_room: bool = True) -> Observation:
    return Observation(TOKEN, lambda _: has_room, alerts or Alerts(), lambda: NOW)


def run(observation: Observation | None, method: str, path: str, body: object = None, **more: Any) -> tuple[int, Any]:
    status, text = asyncio.run(
        ask(observation, method, path, b"" if body is None else json.dumps(body).encode(), **more)
    )
    return status, json.loads(text) if text else None


ROUTES = [
    ("POST", INGEST),
    ("GET", "/alerting/config"),
    ("PUT", "/alerting/config"),
    ("DELETE", "/alerting/config"),
    ("GET", "/alerting/ttfb-config"),
    ("PUT", "/alerting/ttfb-config"),
    ("DELETE", "/alerting/ttfb-config"),
    ("GET", "/alerting/baseline"),
    ("GET", "/alerting/ttfb-baseline"),
]


@pytest.mark.parametrize(("method", "path"), ROUTES)
@pytest.mark.parametrize(
    ("observation", "token"),
    [(desk(), None), (desk(), b""), (desk(), b"operators-onl"), (desk(), b"\xff"), (None, TOKEN), (None, b"")],
)
def test_nobody_gets_in_without_the_secret(
    method: str, path: str, observation: Observation | None, token: bytes | None
) -> None:
    assert run(observation, method, path, token=token) == (401, {"success": False, "error": "Unauthorized"})


def test_a_record_is_kept_or_there_is_no_room() -> None:
    assert run(desk(), "POST", INGEST, METRIC) == (204, None)
    assert run(desk(has_room=False), "POST", INGEST, METRIC)[0] == 503


@pytest.mark.parametrize(
    ("body", "paths"),
    [
        ([], [[]]),
        ({**METRIC, "tokens": {"inputTokens": -1}}, [["tokens", "inputTokens"]]),
        ({**METRIC, "toolsUsed": ["a", ""]}, [["toolsUsed", 1]]),
        ({**METRIC, "organizationId": None}, [["organizationId"]]),
        ({**METRIC, "provider": "a\0b"}, [["provider"]]),
        ({"kiloUserId": ""}, [["kiloUserId"], *([name] for name in list(METRIC)[1:])]),
        (
            {**METRIC, "isStreaming": "yes", "ttfbMs": 1.5, "completeRequestMs": 2**53},
            [["isStreaming"], ["ttfbMs"], ["completeRequestMs"]],
        ),
    ],
)
def test_everything_that_is_wrong_is_told(body: object, paths: list[list[str]]) -> None:
    status, told = run(desk(), "POST", INGEST, body)
    assert (status, [issue["path"] for issue in told["issues"]]) == (400, paths)


def test_what_is_not_json_is_told_too() -> None:
    status, body = asyncio.run(ask(desk(), "POST", INGEST, b"{"))
    assert (status, json.loads(body)["issues"]) == (400, [{"path": [], "message": "Expected JSON"}])


def test_rules_are_put_listed_and_deleted() -> None:
    alerts = Alerts()
    routes = desk(alerts)
    status, told = run(routes, "PUT", "/alerting/config", RULE)
    expected = {**RULE, "model": "foo/bar", "updatedAt": "2026-11-20T12:00:00Z"}
    assert (status, told) == (200, {"success": True, "config": expected})
    assert run(routes, "GET", "/alerting/config") == (200, {"success": True, "configs": [expected]})
    assert run(routes, "PUT", "/alerting/ttfb-config", SLOW)[1]["config"] == {
        **SLOW,
        "updatedAt": "2026-11-20T12:00:00Z",
    }
    assert len(run(routes, "GET", "/alerting/ttfb-config")[1]["configs"]) == 1
    for path in ("/alerting/config", "/alerting/ttfb-config"):
        for _ in range(2):
            assert run(routes, "DELETE", path, query=b"model=FOO/bar%3Afree") == (200, {"success": True})
    assert (alerts.error_rates, alerts.ttfbs) == ({}, {})


@pytest.mark.parametrize("query", [b"", b"model=", b"model=%20", b"model=:free", b"model=%00"])
@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("DELETE", "/alerting/config"),
        ("DELETE", "/alerting/ttfb-config"),
        ("GET", "/alerting/baseline"),
        ("GET", "/alerting/ttfb-baseline"),
    ],
)
def test_a_model_must_be_named(method: str, path: str, query: bytes) -> None:
    assert run(desk(), method, path, query=query) == (400, {"success": False, "error": "model is required"})


def test_baselines() -> None:
    assert run(desk(), "GET", "/alerting/baseline", query=b"model=Foo/Bar:x")[1]["baseline"] == {
        "model": "foo/bar",
        "errorRate1d": 0.5,
        "errorRate3d": 0.25,
        "errorRate7d": 0.125,
        "requests1d": 2,
        "requests3d": 4,
        "requests7d": 8,
    }
    assert run(desk(), "GET", "/alerting/ttfb-baseline", query=b"model=foo/bar")[1]["baseline"] == {
        "model": "foo/bar",
        "p50Ttfb3d": 1,
        "p95Ttfb3d": 2,
        "p99Ttfb3d": 3,
        "requests3d": 4,
    }
    assert run(desk(), "GET", "/alerting/ttfb-baseline", query=b"model=other") == (
        200,
        {"success": True, "baseline": None},
    )


def test_a_database_that_is_away_is_503() -> None:
    alerts = Alerts()
    alerts.is_away = True
    status, told = run(desk(alerts), "GET", "/alerting/config")
    assert (status, told["error"]["code"]) == (503, "ledger_unavailable")
