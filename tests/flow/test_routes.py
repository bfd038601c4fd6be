"""The routes that are not hot, and what every answer carries."""

import json
import re
from pathlib import Path

import pytest

from flow.accounts import Account
from flow.programs import Gateway, Sim, settings_for
from flow.raw import CHAT, STORY, Raw, Response, ask, get, request
from servers.outage import outage

MODELS = ["/v1/models", "/api/gateway/models", "/api/openrouter/models"]
HEALTH = ["/health", "/healthz"]
ELSEWHERE = ["/", "/v1", "/v1/models/", "/nothing", "/docs", "/openapi.json", "/api", "/api/gateway", "/%E2%82%AC"]
INTERNALS = re.compile(
    rb"(?i)traceback|exception|\berror:|\.py\b|sqlite|postgres|sqlalchemy|uvicorn|starlette|/tmp|/home"
)


def _carries_what_every_answer_carries(answer: Response, cache: str = "no-store") -> None:
    assert re.fullmatch(r"[0-9a-f]{32}", answer.headers["x-request-id"])
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["cache-control"] == cache
    assert "date" in answer.headers
    assert "server" not in answer.headers


@pytest.mark.parametrize("path", HEALTH)
def test_health(gateway: Gateway, path: str) -> None:
    answer = ask(gateway, get(path))
    assert (answer.status, answer.json) == (200, {"status": "ok"})
    _carries_what_every_answer_carries(answer)


def test_ready(gateway: Gateway) -> None:
    answer = ask(gateway, get("/readyz"))
    assert (answer.status, answer.json) == (200, {"status": "ready"})
    _carries_what_every_answer_carries(answer)


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_while_the_database_is_away(tmp_path: Path, sim: Sim, database_url: str) -> None:
    gateway = Gateway(tmp_path, settings_for(tmp_path, sim.url, database_url=database_url))
    try:
        with outage(database_url):
            answer = ask(gateway, get("/readyz"))
            assert (answer.status, answer.json) == (503, {"status": "failing", "failing": ["database"]})
            for path in (*HEALTH, "/v1/models", "/metrics"):
                assert ask(gateway, get(path)).status == 200
            answer = ask(gateway, request(STORY, headers={"Authorization": "Bearer tw_key_unheard"}))
            assert (answer.status, answer.code) == (401, "paid_model_auth_required")
        assert ask(gateway, get("/readyz")).status == 200
    finally:
        assert gateway.stop() == 0


def test_metrics(gateway: Gateway) -> None:
    answer = ask(gateway, get("/metrics"))
    assert (answer.status, answer.headers["content-type"]) == (200, "text/plain; version=0.0.4; charset=utf-8")
    assert b"\ntollway_connections " in answer.body
    _carries_what_every_answer_carries(answer)


@pytest.mark.parametrize("path", [*HEALTH, "/readyz", "/metrics", *MODELS])
def test_head_is_get_without_a_body(gateway: Gateway, path: str) -> None:
    with Raw(gateway) as connection:
        whole = connection.send(get(path)).read()
        head = connection.send(get(path, method="HEAD")).read(has_body=False)
        assert head.status == whole.status
        if path != "/metrics":
            assert head.headers["content-length"] == whole.headers["content-length"]
        assert connection.send(get("/health")).read().json == {"status": "ok"}


@pytest.mark.parametrize("path", MODELS)
def test_models(gateway: Gateway, path: str) -> None:
    with Raw(gateway) as connection:
        answer = connection.send(get(path)).read()
        assert answer.status == 200
        assert {"sim/story", "plain/story"} <= {model["id"] for model in answer.json["data"]}
        _carries_what_every_answer_carries(answer, "public, max-age=0, s-maxage=60")
        etag = answer.headers["etag"]
        for known in (etag, f"W/{etag}", f'"other", {etag}', "*"):
            again = connection.send(get(path, {"If-None-Match": known})).read()
            assert (again.status, again.body, again.headers["etag"]) == (304, b"", etag)
            _carries_what_every_answer_carries(again, "public, max-age=0, s-maxage=60")
        assert connection.send(get(path, {"If-None-Match": '"other"'})).read().status == 200


@pytest.mark.parametrize("path", ELSEWHERE)
@pytest.mark.parametrize("method", ["GET", "POST", "HEAD", "DELETE", "OPTIONS"])
def test_nothing_elsewhere(gateway: Gateway, path: str, method: str) -> None:
    answer = ask(gateway, get(path, method=method), has_body=method != "HEAD")
    assert answer.status == 404
    assert method == "HEAD" or answer.json == {"error": "Not found"}
    assert answer.headers["content-type"] == "application/json"
    assert "location" not in answer.headers
    _carries_what_every_answer_carries(answer)


@pytest.mark.parametrize(
    ("path", "method", "allowed"),
    [
        ("/v1/chat/completions", "GET", {"POST"}),
        ("/v1/chat/completions", "DELETE", {"POST"}),
        ("/v1/models", "POST", {"GET", "HEAD"}),
        ("/health", "PUT", {"GET", "HEAD"}),
        ("/readyz", "POST", {"GET", "HEAD"}),
    ],
)
def test_other_methods(gateway: Gateway, path: str, method: str, allowed: set[str]) -> None:
    answer = ask(gateway, get(path, method=method))
    assert (answer.status, answer.code) == (405, "method_not_allowed")
    assert set(answer.headers["allow"].split(", ")) == allowed
    _carries_what_every_answer_carries(answer)


@pytest.mark.parametrize("size", [0, 100, 1024**2])
def test_a_body_nobody_wants_is_read(gateway: Gateway, size: int) -> None:
    with Raw(gateway) as connection:
        assert connection.send(request(b"a" * size, b"/nothing")).read().status == 404
        assert connection.send(request(b"a" * size, b"/api/gateway/nothing")).read().status == 400
        assert connection.send(get("/health")).read().status == 200


def test_an_encoded_path_is_the_path(gateway: Gateway, account: Account) -> None:
    assert ask(gateway, request(STORY, b"/v1/%63hat/completions", account.headers)).status == 200
    assert ask(gateway, get("/%68ealth")).status == 200


REFUSED = {
    "no JSON": (request(b"{"), 400, "invalid_request"),
    "no model": (request(b"{}"), 404, "model_not_found"),
    "no credential": (request(STORY), 401, "paid_model_auth_required"),
    "bad credential": (request(STORY, headers={"Authorization": "Bearer x"}), 401, "paid_model_auth_required"),
    "wrong type": (request(STORY, headers={"Content-Type": "text/plain"}), 415, "unsupported_media_type"),
    "too large": (request(b" " * (20 * 1024**2 + 1)), 413, "body_too_large"),
    "line too long": (request(path=CHAT + b"?" + b"a" * 8_192), 414, "uri_too_long"),
    "headers too large": (request(headers={"X-A": "a" * 8_193}), 431, "headers_too_large"),
    "not HTTP": (b"\0\0\0\0\r\n\r\n", 400, "malformed_http"),
}


@pytest.mark.parametrize(("raw", "status", "code"), REFUSED.values(), ids=REFUSED)
def test_refusals_have_one_shape(gateway: Gateway, raw: bytes, status: int, code: str) -> None:
    answer = ask(gateway, raw)
    assert (answer.status, answer.code) == (status, code)
    assert answer.headers["content-type"] == "application/json"
    assert not INTERNALS.search(answer.body)
    _carries_what_every_answer_carries(answer)


def test_an_unknown_model_is_refused(gateway: Gateway, account: Account) -> None:
    answer = ask(gateway, request({**STORY, "model": "no/such"}, headers=account.headers))
    assert (answer.status, answer.code) == (404, "model_not_found")


def test_an_upstream_that_is_not_there(gateway: Gateway, account: Account) -> None:
    answer = ask(gateway, request({**STORY, "model": "dead/model"}, headers=account.headers))
    assert (answer.status, answer.code) == (502, "upstream_unreachable")
    assert not INTERNALS.search(answer.body)
    assert b"127.0.0.1" not in answer.body
    _carries_what_every_answer_carries(answer)


def test_good_answers_carry_it_too(gateway: Gateway, account: Account) -> None:
    for stream in (False, True):
        answer = ask(gateway, request({**STORY, "stream": stream}, headers=account.headers))
        assert answer.status == 200
        _carries_what_every_answer_carries(answer)
        assert stream or json.loads(answer.body)["object"] == "chat.completion"
