import json

import pytest

from tollway.errors import CATALOGUE, Code, Problem, Quota
from tollway.http.problems import error_type, problem_body, problem_headers


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
    assert problem_headers(Problem(Code.OVERLOADED, retry_after_s=7), "an-id") == (
        b"content-type: application/json\r\nretry-after: 7\r\nx-request-id: an-id\r\n"
    )
    assert b"retry-after" not in problem_headers(Problem(Code.OVERLOADED), "an-id")


def test_a_full_window_is_told_in_headers() -> None:
    headers = problem_headers(Problem(Code.FREE_LIMIT_REACHED, retry_after_s=7, quota=Quota(200, 7)), "an-id")
    assert (
        b"retry-after: 7\r\nx-ratelimit-limit: 200\r\nx-ratelimit-remaining: 0\r\nx-ratelimit-reset: 7\r\n" in headers
    )
