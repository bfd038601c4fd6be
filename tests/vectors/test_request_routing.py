"""Vectors RT1 to RT9 of request-path, through the running program."""

import os
from pathlib import Path

import psycopg
import pytest

from flow.accounts import Account
from flow.programs import Gateway
from flow.raw import Response, ask, get, request
from servers.outage import outage
from servers.postgres import running
from vectors.conftest import settings_for_vectors
from vectors.upstream import Sent, Upstream

BODY = {"model": "a/b", "messages": [{"role": "user", "content": "hi"}], "temperature": 0.5}
INVALID_PATH = {"error": "Invalid path", "message": "This endpoint only accepts the path `/chat/completions`."}


def _ask(gateway: Gateway, method: str, path: str, account: Account) -> Response:
    return ask(gateway, request(BODY, path.encode(), account.headers, method.encode()))


@pytest.mark.parametrize("prefixes", [pytest.param(("/api/gateway", "/api/openrouter"), id="request:RT1")])
def test_both_prefixes_are_one_route(
    vector_gateway: Gateway, upstream: Upstream, caller: Account, prefixes: tuple[str, str]
) -> None:
    answers, sent = [], []
    for prefix in prefixes:
        answer = _ask(vector_gateway, "POST", f"{prefix}/chat/completions", caller)
        answers.append((answer.status, answer.json))
        sent.append(_without_ids(upstream.next()))
    assert answers[0][0] == 200
    assert answers[0] == answers[1]
    assert sent[0] == sent[1]


def _without_ids(sent: Sent) -> tuple[str, dict[str, str], bytes]:
    headers = {name: value for name, value in sent.headers.items() if name != "x-request-id"}
    return sent.target, headers, sent.text


@pytest.mark.parametrize(
    ("method", "path"),
    [
        pytest.param("POST", "/api/gateway/foo", id="request:RT2"),
        pytest.param("GET", "/api/gateway/chat/completions", id="request:RT3"),
        pytest.param("POST", "/api/openrouter/chat/completions/", id="request:RT4"),
        pytest.param("POST", "/api/gateway/v1/chat/completions", id="request:RT5"),
        pytest.param("POST", "/api/openrouter/models", id="request:RT6"),
    ],
)
def test_invalid_paths(vector_gateway: Gateway, upstream: Upstream, caller: Account, method: str, path: str) -> None:
    answer = _ask(vector_gateway, method, path, caller)
    assert (answer.status, answer.json) == (400, INVALID_PATH)
    assert upstream.is_untouched


@pytest.mark.parametrize(
    "requests",
    [
        pytest.param(
            [
                ("GET", "/completely/unknown"),
                ("POST", "/api/gateway"),
                ("POST", "/api/gatewayfoo/chat/completions"),
            ],
            id="request:RT7",
        )
    ],
)
def test_nothing_there(
    vector_gateway: Gateway, upstream: Upstream, caller: Account, requests: list[tuple[str, str]]
) -> None:
    for method, path in requests:
        answer = _ask(vector_gateway, method, path, caller)
        assert (answer.status, answer.body) == (404, b'{"error":"Not found"}')
    assert upstream.is_untouched


@pytest.mark.parametrize("path", [pytest.param("/health", id="request:RT8")])
def test_health_without_a_database(tmp_path: Path, upstream: Upstream, path: str) -> None:
    with running(os.environ.get("PYTEST_XDIST_TESTRUNUID", str(os.getpid()))) as server:
        name = f"vectors_{os.getpid()}"
        with psycopg.connect(server.url("postgres"), autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}")
        gateway = Gateway(tmp_path, settings_for_vectors(tmp_path, upstream, server.url(name)))
        try:
            with outage(server.url(name)):
                answer = ask(gateway, get(path))
                assert (answer.status, answer.body) == (200, b'{"status":"ok"}')
        finally:
            assert gateway.stop() == 0


@pytest.mark.parametrize("query", [pytest.param("?a=1&b", id="request:RT9")])
def test_the_query_is_appended(vector_gateway: Gateway, upstream: Upstream, caller: Account, query: str) -> None:
    assert _ask(vector_gateway, "POST", f"/api/gateway/chat/completions{query}", caller).status == 200
    assert upstream.next().target == "/api/v1/chat/completions?a=1&b"
