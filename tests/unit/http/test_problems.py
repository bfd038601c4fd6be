import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tollway.errors import CATALOGUE, Code, Problem, Quota
from tollway.http import problems
from tollway.http.problems import (
    error_type,
    problem_body,
    problem_headers,
    retry_after_s,
    spread_s,
    waiting_headers,
)


@pytest.mark.parametrize("code", Code)
def test_the_general_shape_of_every_code(code: Code) -> None:
    error = json.loads(problem_body(Problem(code, "an internal detail"), "an-id", historic=False))["error"]
    assert error["message"] == CATALOGUE[code].message
    assert (error["code"], error["request_id"]) == (code.value, "an-id")
    assert error["type"].replace("_", "").isalpha()
    assert "detail" not in json.dumps(error)


@pytest.mark.parametrize("code", Code)
def test_every_code_has_a_body_on_the_drop_in_prefixes(code: Code) -> None:
    body = json.loads(problem_body(Problem(code, extra={"balance": 0}), "an-id", historic=True))
    assert body["error"]
    assert set(body) <= {"error", "message"}


@pytest.mark.parametrize(
    ("problem", "body"),
    [
        (Problem(Code.NOT_FOUND), {"error": "Not found"}),
        (Problem(Code.UPSTREAM_UNREACHABLE, shown="s"), {"error": "Bad Gateway", "message": "s"}),
        (Problem(Code.OWN_KEY_REFUSED, shown="s", title="t"), {"error": "t", "message": "s"}),
        (Problem(Code.INTERNAL_ERROR), {"error": "Internal server error"}),
        (
            Problem(Code.VENDOR_ERROR, status=418, shown="s", extra={"code": "c"}),
            {"error": {"message": "s", "code": 418, "type": "error"}},
        ),
        (
            Problem(Code.SIGN_IN_REQUIRED),
            {"error": {"code": "PAID_MODEL_AUTH_REQUIRED", "message": "You need to sign in to use this model."}},
        ),
        (
            Problem(Code.INSUFFICIENT_CREDITS, extra={"balance": 0, "buyCreditsUrl": "u"}),
            {
                "error": {
                    "title": "Low Credit Warning!",
                    "message": "Add credits to continue, or switch to a free model",
                    "balance": 0,
                    "buyCreditsUrl": "u",
                }
            },
        ),
    ],
)
def test_historic_bodies(problem: Problem, body: object) -> None:
    assert json.loads(problem_body(problem, "an-id", historic=True)) == body


def test_an_upstreams_own_words() -> None:
    problem = Problem(Code.UPSTREAM_ERROR, status=422, shown="too hot")
    error = json.loads(problem_body(problem, "an-id", historic=False))["error"]
    assert (problem.http_status, error["message"], error["code"]) == (422, "too hot", "upstream_error")


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        (Code.MALFORMED_HTTP, "invalid_request_error"),
        (Code.BODY_TOO_LARGE, "invalid_request_error"),
        (Code.REQUEST_TIMEOUT, "timeout_error"),
        (Code.TOO_MANY_REQUESTS, "rate_limit_error"),
        (Code.OVERLOADED, "server_error"),
        (Code.UPSTREAM_BROKEN, "upstream_error"),
        (Code.UPSTREAM_TIMEOUT, "timeout_error"),
        (Code.INTERNAL_ERROR, "server_error"),
    ],
)
def test_types(code: Code, kind: str) -> None:
    assert error_type(Problem(code)) == kind


def test_headers() -> None:
    assert problem_headers(Problem(Code.OVERLOADED, retry_after_s=2), "an-id") == (
        b"content-type: application/json\r\nretry-after: 2\r\nx-request-id: an-id\r\n"
    )
    assert b"retry-after" not in problem_headers(Problem(Code.OVERLOADED), "an-id")


@given(st.integers(1, 10**6), st.floats(0, 1))
def test_when_to_come_back_stays_within_a_fifth(wait_s: int, roll: float) -> None:
    told = spread_s(wait_s, roll)
    assert told >= 1
    assert 5 * abs(told - wait_s) <= wait_s


@given(st.integers(5, 10**6))
def test_both_ends_are_met(wait_s: int) -> None:
    assert (spread_s(wait_s, 0), spread_s(wait_s, 1)) == (wait_s - wait_s // 5, wait_s + wait_s // 5)


def test_those_refused_together_come_back_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    together = Problem(Code.OVERLOADED, retry_after_s=10)
    for roll, told in ((0.0, 8), (0.5, 10), (1.0, 12)):
        monkeypatch.setattr(problems, "jitter", lambda *_, roll=roll: roll)
        assert b"retry-after: %d\r\n" % told in problem_headers(together, "an-id")
        assert waiting_headers(together) == {"retry-after": str(told)}


@pytest.mark.parametrize(
    "told",
    [
        Problem(Code.FREE_LIMIT_REACHED, retry_after_s=3_600, quota=Quota(200, 3_600)),  # it frees then, not before
        Problem(Code.UPSTREAM_ERROR, status=429, retry_after_s=3_600),
    ],
)
def test_what_concerns_one_caller_is_exact(told: Problem, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(problems, "jitter", lambda _, __: 0.0)
    assert retry_after_s(told) == 3_600


def test_nothing_to_wait_for() -> None:
    assert waiting_headers(Problem(Code.FORBIDDEN)) == {}


def test_a_full_window_is_told_in_headers() -> None:
    headers = problem_headers(Problem(Code.FREE_LIMIT_REACHED, retry_after_s=7, quota=Quota(200, 7)), "an-id")
    assert (
        b"retry-after: 7\r\nx-ratelimit-limit: 200\r\nx-ratelimit-remaining: 0\r\nx-ratelimit-reset: 7\r\n" in headers
    )
