"""The error catalogue: every refusal Tollway can answer with, as a value.

A `Problem` is returned, never raised. `http/problems.py` turns it into bytes: the *general* shape everywhere
(`error.message`, `.type`, `.code`, `.request_id`), except on the two drop-in prefixes, where clients check the
historic bodies byte for byte (request-path appendix B) and the entry's `historic` shape is used.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final


class Code(StrEnum):
    """Stable names; the value goes on the wire: add, never rename."""

    INVALID_PATH = "invalid_path"
    NOT_FOUND = "not_found"
    METHOD_NOT_ALLOWED = "method_not_allowed"
    INVALID_REQUEST = "invalid_request"
    BAD_REQUEST = "bad_request"
    MALFORMED_HTTP = "malformed_http"
    MODEL_NOT_FOUND = "model_not_found"
    MODEL_ENDED = "model_ended"
    MODEL_NOT_PRICED = "model_not_priced"
    MODEL_NOT_ALLOWED = "model_not_allowed"
    DATA_COLLECTION_REQUIRED = "data_collection_required"
    MISSING_CLIENT_IP = "missing_client_ip"
    AUTHENTICATION_REQUIRED = "authentication_required"
    SIGN_IN_REQUIRED = "paid_model_auth_required"
    PROMOTION_LIMIT_REACHED = "promotion_limit_reached"
    FORBIDDEN = "forbidden"
    INSUFFICIENT_CREDITS = "insufficient_credits"
    CONFLICT = "conflict"
    IDEMPOTENCY_KEY_REUSED = "idempotency_key_reused"
    REQUEST_TIMEOUT = "request_timeout"
    BODY_TOO_LARGE = "body_too_large"
    URI_TOO_LONG = "uri_too_long"
    HEADERS_TOO_LARGE = "headers_too_large"
    UNSUPPORTED_MEDIA_TYPE = "unsupported_media_type"
    RATE_LIMITED = "rate_limited"
    FREE_LIMIT_REACHED = "rate_limit_exceeded"
    TOO_MANY_REQUESTS = "too_many_requests"
    OVERLOADED = "overloaded"
    DRAINING = "draining"
    LEDGER_UNAVAILABLE = "ledger_unavailable"
    JOURNAL_UNAVAILABLE = "journal_unavailable"
    CREDENTIAL_UNAVAILABLE = "credential_unavailable"
    OWN_KEY_INVALID = "own_key_invalid"
    SERVICE_UNAVAILABLE = "service_unavailable"
    UPSTREAM_ERROR = "upstream_error"
    VENDOR_ERROR = "vendor_error"
    UNSUPPORTED_CONTENT = "unsupported_content"
    UPSTREAM_UNREACHABLE = "upstream_unreachable"
    UPSTREAM_BROKEN = "upstream_broken"
    UPSTREAM_TIMEOUT = "upstream_timeout"
    UPSTREAM_REDIRECT = "upstream_redirect"
    UPSTREAM_UNAVAILABLE = "upstream_unavailable"
    OWN_KEY_REFUSED = "own_key_refused"
    CONTEXT_LENGTH_EXCEEDED = "context_length_exceeded"
    STEALTH_MODEL_ERROR = "stealth_model_error"
    CLIENT_GONE = "client_gone"
    INTERNAL_ERROR = "internal_error"


class Fault(StrEnum):
    """Who caused it: decides log level, alerts and whether anyone is charged."""

    CALLER = "caller"
    OPERATOR = "operator"
    UPSTREAM = "upstream"
    TOLLWAY = "tollway"


class Shape(StrEnum):
    """How the entry's body looks on the drop-in prefixes."""

    GENERAL = "general"  # {"error":{"message","type","code","request_id"}}
    TITLED = "titled"  # {"error":<title>,"message":<message>}
    BARE = "bare"  # {"error":<title>}
    CODED = "coded"  # {"error":{"code":<title>,"message":<message>}}
    NUMBERED = "numbered"  # {"error":{"message","code":<status>,"type":"error"}}
    CREDITS = "credits"  # {"error":{"title","message","balance","buyCreditsUrl"}}


@dataclass(frozen=True, slots=True)
class Entry:
    """One row of the catalogue. `title` is the short text of the historic shapes that have one."""

    status: int
    fault: Fault
    retryable: bool
    message: str
    historic: Shape = Shape.GENERAL
    title: str = ""


_UNAVAILABLE: Final = "The service is temporarily unavailable. Please try again later."
_OWN_KEY_INVALID: Final = "[BYOK] Your API key is invalid or has been revoked. Please check your API key configuration."

_STEALTH: Final = "Stealth model unable to process request"

_DATA_COLLECTION: Final = (
    "Data collection is required for this model. "
    "Please enable data collection to use this model or choose another model."
)

CATALOGUE: Final[Mapping[Code, Entry]] = {
    Code.INVALID_PATH: Entry(
        400,
        Fault.CALLER,
        False,
        "This endpoint only accepts the path `/chat/completions`.",
        Shape.TITLED,
        "Invalid path",
    ),
    Code.NOT_FOUND: Entry(404, Fault.CALLER, False, "There is nothing here.", Shape.BARE, "Not found"),
    Code.METHOD_NOT_ALLOWED: Entry(405, Fault.CALLER, False, "This path does not accept that method."),
    Code.INVALID_REQUEST: Entry(
        400,
        Fault.CALLER,
        False,
        "Could not parse request body. Please ensure it is valid JSON.",
        Shape.TITLED,
        "Invalid request",
    ),
    Code.BAD_REQUEST: Entry(400, Fault.CALLER, False, "The request is not acceptable.", Shape.TITLED, "Bad request"),
    Code.MALFORMED_HTTP: Entry(400, Fault.CALLER, False, "The request is not valid HTTP/1.1."),
    Code.MODEL_NOT_FOUND: Entry(
        404, Fault.CALLER, False, "The requested model could not be found.", Shape.TITLED, "Model not found"
    ),
    Code.MODEL_ENDED: Entry(
        404,
        Fault.CALLER,
        False,
        "The alpha period for this model has ended.",
        Shape.TITLED,
        "The alpha period for this model has ended.",
    ),
    Code.MODEL_NOT_PRICED: Entry(
        503, Fault.OPERATOR, False, "The requested model has no price yet.", Shape.TITLED, "Service Unavailable"
    ),
    Code.MODEL_NOT_ALLOWED: Entry(
        404,
        Fault.CALLER,
        False,
        "The requested model is not allowed for your team.",
        Shape.TITLED,
        "Model not allowed for your team.",
    ),
    Code.DATA_COLLECTION_REQUIRED: Entry(400, Fault.CALLER, False, _DATA_COLLECTION, Shape.TITLED, _DATA_COLLECTION),
    Code.MISSING_CLIENT_IP: Entry(
        400,
        Fault.CALLER,
        False,
        "Unable to determine client IP.",
        Shape.BARE,
        "Unable to determine client IP",
    ),
    Code.AUTHENTICATION_REQUIRED: Entry(401, Fault.CALLER, False, "A valid API key or token is required."),
    Code.SIGN_IN_REQUIRED: Entry(
        401, Fault.CALLER, False, "You need to sign in to use this model.", Shape.CODED, "PAID_MODEL_AUTH_REQUIRED"
    ),
    Code.PROMOTION_LIMIT_REACHED: Entry(
        401,
        Fault.CALLER,
        False,
        "Sign in to use more of the free models, or come back later.",
        Shape.CODED,
        "PROMOTION_MODEL_LIMIT_REACHED",
    ),
    Code.FORBIDDEN: Entry(403, Fault.CALLER, False, "You may not do this."),
    Code.INSUFFICIENT_CREDITS: Entry(
        402,
        Fault.CALLER,
        False,
        "Add credits to continue, or switch to a free model",
        Shape.CREDITS,
        "Low Credit Warning!",
    ),
    Code.CONFLICT: Entry(409, Fault.CALLER, False, "This is already in use or already running."),
    Code.IDEMPOTENCY_KEY_REUSED: Entry(422, Fault.CALLER, False, "This Idempotency-Key was used for another request."),
    Code.REQUEST_TIMEOUT: Entry(408, Fault.CALLER, True, "The request did not arrive in time."),
    Code.BODY_TOO_LARGE: Entry(413, Fault.CALLER, False, "The request body is too large."),
    Code.URI_TOO_LONG: Entry(414, Fault.CALLER, False, "The request line is too long."),
    Code.HEADERS_TOO_LARGE: Entry(431, Fault.CALLER, False, "The request headers are too large."),
    Code.UNSUPPORTED_MEDIA_TYPE: Entry(415, Fault.CALLER, False, "Send JSON, without a content coding."),
    Code.RATE_LIMITED: Entry(429, Fault.CALLER, True, "Rate limit exceeded.", Shape.TITLED, "Rate limit exceeded"),
    Code.FREE_LIMIT_REACHED: Entry(
        429,
        Fault.CALLER,
        True,
        "Free model usage limit reached. Please try again later or upgrade to a paid model.",
        Shape.TITLED,
        "Rate limit exceeded",
    ),
    Code.TOO_MANY_REQUESTS: Entry(
        429, Fault.CALLER, True, "Too many requests at once.", Shape.TITLED, "Too many requests"
    ),
    Code.OVERLOADED: Entry(503, Fault.TOLLWAY, True, _UNAVAILABLE, Shape.TITLED, "Service Unavailable"),
    Code.DRAINING: Entry(503, Fault.TOLLWAY, True, _UNAVAILABLE, Shape.TITLED, "Service Unavailable"),
    Code.LEDGER_UNAVAILABLE: Entry(503, Fault.TOLLWAY, True, _UNAVAILABLE, Shape.TITLED, "Service Unavailable"),
    Code.JOURNAL_UNAVAILABLE: Entry(503, Fault.TOLLWAY, True, _UNAVAILABLE, Shape.TITLED, "Service Unavailable"),
    Code.CREDENTIAL_UNAVAILABLE: Entry(503, Fault.OPERATOR, False, _UNAVAILABLE, Shape.TITLED, "Service Unavailable"),
    Code.OWN_KEY_INVALID: Entry(401, Fault.CALLER, False, _OWN_KEY_INVALID, Shape.TITLED, _OWN_KEY_INVALID),
    Code.SERVICE_UNAVAILABLE: Entry(503, Fault.OPERATOR, True, _UNAVAILABLE, Shape.TITLED, "Service Unavailable"),
    Code.UPSTREAM_ERROR: Entry(502, Fault.UPSTREAM, True, "The upstream provider answered with an error."),
    Code.VENDOR_ERROR: Entry(
        502, Fault.UPSTREAM, True, "The vendor of this model answered with an error.", Shape.NUMBERED
    ),
    Code.UNSUPPORTED_CONTENT: Entry(
        400, Fault.CALLER, False, "The request has something that this model's API cannot express.", Shape.NUMBERED
    ),
    Code.UPSTREAM_UNREACHABLE: Entry(
        502,
        Fault.UPSTREAM,
        True,
        "The upstream provider could not be reached. Please try again later.",
        Shape.TITLED,
        "Bad Gateway",
    ),
    Code.UPSTREAM_BROKEN: Entry(
        502, Fault.UPSTREAM, True, "The upstream provider's answer was incomplete.", Shape.TITLED, "Bad Gateway"
    ),
    Code.UPSTREAM_TIMEOUT: Entry(
        504,
        Fault.UPSTREAM,
        True,
        "The upstream provider did not answer in time. Please try again later.",
        Shape.TITLED,
        "Gateway Timeout",
    ),
    Code.UPSTREAM_REDIRECT: Entry(
        502, Fault.UPSTREAM, False, "Upstream redirect not allowed", Shape.TITLED, "Upstream redirect not allowed"
    ),
    Code.UPSTREAM_UNAVAILABLE: Entry(503, Fault.UPSTREAM, True, _UNAVAILABLE, Shape.TITLED, "Service Unavailable"),
    Code.OWN_KEY_REFUSED: Entry(
        401, Fault.CALLER, False, "[BYOK] Your API key was refused.", Shape.TITLED, "[BYOK] Your API key was refused."
    ),
    Code.CONTEXT_LENGTH_EXCEEDED: Entry(
        400, Fault.CALLER, False, "The request is longer than the model's context.", Shape.TITLED, "Context length"
    ),
    Code.STEALTH_MODEL_ERROR: Entry(502, Fault.UPSTREAM, True, _STEALTH, Shape.TITLED, _STEALTH),
    Code.CLIENT_GONE: Entry(499, Fault.CALLER, False, "The client closed the connection."),
    Code.INTERNAL_ERROR: Entry(
        500, Fault.TOLLWAY, False, "Something went wrong on our side.", Shape.BARE, "Internal server error"
    ),
}


@dataclass(frozen=True, slots=True)
class Quota:
    """What a full window tells its caller: how many it takes, and in how many seconds (at least 1) one comes free."""

    limit: int
    resets_in_s: int


@dataclass(frozen=True, slots=True)
class Problem:
    """One refusal. `detail` is for logs only; callers read the catalogue's message, or `shown` where a spec gives one.

    `status`, `shown` and `title` override the entry (an upstream's own 4xx and its redacted message, the 402 of one who
    has never paid); `extra` carries the fields of a shape that has some (the balance of a 402). `quota` is told in
    headers.
    """

    code: Code
    detail: str = ""
    retry_after_s: int | None = None
    status: int | None = None
    shown: str | None = None
    extra: Mapping[str, object] = field(default_factory=dict)
    title: str | None = None
    quota: Quota | None = None

    @property
    def entry(self) -> Entry:
        return CATALOGUE[self.code]

    @property
    def http_status(self) -> int:
        return self.status or CATALOGUE[self.code].status
