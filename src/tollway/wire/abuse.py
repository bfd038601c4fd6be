"""What is asked of an abuse service and what it answers, as it goes over the wire. Pure.

Source: response-path 11.2, 11.3, 11.6; request-path 8.7.
"""

import re
from math import isfinite
from typing import Final

from msgspec import MsgspecError, Struct
from msgspec.json import Decoder, Encoder

from tollway.wire.json_body import JsonObject, JsonValue

VERDICTS: Final = ("ALLOW", "CHALLENGE", "SOFT_BLOCK", "HARD_BLOCK")
SIGNALS: Final = frozenset(
    {
        "high_velocity",
        "free_tier_exhausted",
        "premium_harvester",
        "suspicious_fingerprint",
        "datacenter_ip",
        "known_abuser",
    }
)
OTHER: Final = "other"  # a signal that we do not know: what it says is not repeated, it might be anybody's words
_REQUEST_ID_MAX: Final = 2**63 - 1
_IDENTITY: Final = re.compile(r"[\w:.@|/+=-]{1,128}", re.ASCII)


class Classify(Struct, frozen=True):
    """The question before the answer, field by field as it is sent; what is not known is null. `ip_address` is the
    client's own."""

    kilo_user_id: str
    organization_id: str | None
    project_id: str | None
    ip_address: str
    geo_city: str | None
    geo_country: str | None
    geo_latitude: float | None
    geo_longitude: float | None
    ja4_digest: str | None
    user_agent: str | None
    provider: str
    requested_model: str
    user_prompt: str | None
    system_prompt: str | None
    max_tokens: int | None
    has_middle_out_transform: bool
    has_tools: bool
    streamed: bool
    is_user_byok: bool
    editor_name: str | None
    feature: str | None


class CostReport(Struct, frozen=True):
    """What a request was worth, told after it was accounted for, by the same name of who asked. `cost` in µ$, before
    anything was waived. `request_id` is the service's own."""

    kilo_user_id: str
    ip_address: str
    ja4_digest: str | None
    user_agent: str | None
    request_id: int
    message_id: str
    cost: int
    requested_model: str
    input_tokens: int
    output_tokens: int
    cache_write_tokens: int
    cache_hit_tokens: int


class Verdict(Struct, frozen=True):
    """`request_id` is the service's; 0: it could not judge. `signals` are known ones, or OTHER."""

    verdict: str
    request_id: int = 0
    risk_score: float | None = None
    signals: tuple[str, ...] = ()
    identity_key: str | None = None
    requests_per_second: float | None = None


_encode: Final = Encoder().encode
_decode: Final = Decoder(JsonObject).decode


def encode_question(question: Classify | CostReport) -> bytes:
    return _encode(question)


def read_verdict(body: bytes) -> Verdict | None:
    """None where there is no verdict in it. Whatever else is missing or nonsense counts as not said; never raises."""
    try:
        tree = _decode(body)
    except (MsgspecError, ValueError, RecursionError):
        return None
    verdict, context = tree.get("verdict"), tree.get("context")
    if verdict not in VERDICTS:
        return None
    said = context if isinstance(context, dict) else {}
    return Verdict(
        verdict,
        _request_id(tree.get("request_id")),
        _number(tree.get("risk_score")),
        _signals(tree.get("signals")),
        _identity_key(said.get("identity_key")),
        _number(said.get("requests_per_second")),
    )


def was_taken(body: bytes) -> bool:
    """Whether the answer to a cost report says that it was taken."""
    try:
        return _decode(body).get("success") is True
    except (MsgspecError, ValueError, RecursionError):
        return False


def _request_id(value: JsonValue) -> int:
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    is_id = isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= _REQUEST_ID_MAX
    return value if is_id else 0


def _number(value: JsonValue) -> float | None:
    is_number = isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 2**63
    return float(value) if is_number and isfinite(value) else None


def _signals(value: JsonValue) -> tuple[str, ...]:
    """Each once, in a fixed order."""
    if not isinstance(value, list):
        return ()
    named = {one if isinstance(one, str) and one in SIGNALS else OTHER for one in value}
    return tuple(sorted(named))


def _identity_key(value: JsonValue) -> str | None:
    return value if isinstance(value, str) and _IDENTITY.fullmatch(value) else None
