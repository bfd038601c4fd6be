"""Problem → JSON body or SSE error frame. The one encoder of every error Tollway answers with."""

from typing import Any, Final

from msgspec.json import encode

from tollway.errors import Fault, Problem, Shape
from tollway.ids import jitter

_TYPES: Final = {
    400: "invalid_request_error",
    401: "authentication_error",
    402: "insufficient_credits",
    403: "permission_error",
    404: "not_found_error",
    408: "timeout_error",
    409: "conflict_error",
    429: "rate_limit_error",
    504: "timeout_error",
}


def problem_body(problem: Problem, request_id: str, historic: bool) -> bytes:
    """The JSON body. `historic`: the caller came by a drop-in prefix (request-path appendix B)."""
    entry = problem.entry
    message = problem.shown or entry.message
    shape = entry.historic if historic else Shape.GENERAL
    if shape is Shape.TITLED:
        return encode({"error": problem.title or entry.title, "message": message})
    if shape is Shape.BARE:
        return encode({"error": entry.title})
    if shape is Shape.CODED:
        return encode({"error": {"code": entry.title, "message": message}})
    if shape is Shape.NUMBERED:
        return encode({"error": {"message": message, "code": problem.http_status, "type": "error"}})
    if shape is Shape.CREDITS:
        return encode({"error": {"title": problem.title or entry.title, "message": message, **problem.extra}})
    return encode({"error": general_error(problem, request_id)})


def general_error(problem: Problem, request_id: str) -> dict[str, Any]:
    """The fields of the general shape (guarantees §16)."""
    message = problem.shown or problem.entry.message
    return {
        "message": message,
        "type": error_type(problem),
        "code": problem.code.value,
        "request_id": request_id,
        **problem.extra,
    }


def error_type(problem: Problem) -> str:
    """The general class clients of OpenAI's dialect look at."""
    if problem.entry.fault is Fault.CALLER or problem.http_status in _TYPES:
        return _TYPES.get(problem.http_status, "invalid_request_error")
    return "upstream_error" if problem.entry.fault is Fault.UPSTREAM else "server_error"


def retry_after_s(problem: Problem) -> int | None:
    """Whole seconds for the Retry-After header, or None: those who were refused together must not come back together
    (guarantees O3). Exact is what concerns one caller alone (its window) and what an upstream said (its status is the
    problem's)."""
    wait_s = problem.retry_after_s
    if not wait_s:
        return None
    return wait_s if problem.quota or problem.status else spread_s(wait_s, jitter(0, 1))


def spread_s(wait_s: int, roll: float) -> int:
    """A whole number of seconds within a fifth of `wait_s`, by `roll` (0 to 1). Below 5 s there are no others."""
    reach = wait_s // 5
    return min(wait_s + reach, wait_s - reach + int(roll * (2 * reach + 1)))


def problem_headers(problem: Problem, request_id: str) -> bytes:
    """Header lines of an error answer, each ended by CR LF."""
    waiting = "".join(f"{name}: {value}\r\n" for name, value in waiting_headers(problem).items())
    return f"content-type: application/json\r\n{waiting}x-request-id: {request_id}\r\n".encode()


def waiting_headers(problem: Problem) -> dict[str, str]:
    """What an error answer says of when to come again (guarantees O3)."""
    wait_s = retry_after_s(problem)
    headers = {"retry-after": str(wait_s)} if wait_s else {}
    quota = problem.quota
    if quota:
        headers["x-ratelimit-limit"] = str(quota.limit)
        headers["x-ratelimit-remaining"] = "0"
        headers["x-ratelimit-reset"] = str(quota.resets_in_s)
    return headers
