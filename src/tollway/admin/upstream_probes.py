"""Try a custom upstream: one tiny request, or ask it for its models. Both go the guarded way that requests go.

What an endpoint answers may quote secrets: nobody is told more of it than its status and its models. Source:
request-path 12.10.5 to 12.10.7.
"""

from dataclasses import dataclass, field
from typing import Any, Final, Protocol

from msgspec.json import encode

from tollway.admin.fields import bad
from tollway.admin.upstream_changes import Sealer
from tollway.admin.upstream_fields import MODELS_MAX, TOKENS_END, check_address, check_headers, check_key
from tollway.admin.upstream_records import SealedUpstream
from tollway.errors import Code, Problem
from tollway.identity.base_url import BaseUrl
from tollway.identity.extra_headers import ExtraHeaders, HeaderRule, read_extra_headers
from tollway.identity.outbound import OutboundRules
from tollway.identity.sealing import SealError, unseal
from tollway.identity.upstream_models import ID_CHARACTERS_MAX, read_models
from tollway.providers.custom import custom_upstream
from tollway.providers.registry import Origin, Upstream
from tollway.wire.json_body import BodyError, decode_object

TEST_S: Final = 15.0
DISCOVER_S: Final = 10.0
BODY_BYTES_MAX: Final = 2 * 1024 * 1024
WORKS: Final = "The endpoint answered."
FAILED: Final = "API key test failed. Check the credential and try again."


class Asking(Protocol):
    """Sends one request the guarded way, without following redirects."""

    async def __call__(
        self, upstream: Upstream, head: bytes, body: bytes, timeout_s: float, body_bytes_max: int
    ) -> tuple[int, bytes] | None:
        """Status and body, all of it within `timeout_s`; None when no whole answer came, whyever. `head` is complete
        but for the line that ends it."""
        ...


@dataclass(frozen=True, slots=True)
class Place:
    """An endpoint with what opens it."""

    address: BaseUrl
    key: str = field(repr=False)
    headers: ExtraHeaders = field(repr=False)

    @property
    def upstream(self) -> Upstream:
        address = self.address
        origin = Origin(address.scheme, address.host, address.port, is_guarded=True)
        return custom_upstream(address.text, origin, address.path, self.key, self.headers)


@dataclass(frozen=True, slots=True)
class Probed:
    success: bool
    message: str


def entered_place(base_url: object, key: object, headers: object, outbound: OutboundRules) -> Place | Problem:
    """An endpoint that is not stored yet. Refuses: bad_request (with the field)."""
    address = check_address(base_url, outbound)
    if isinstance(address, Problem):
        return address
    checked_key, checked_headers = check_key(key), check_headers(headers)
    if isinstance(checked_key, Problem):
        return checked_key
    if isinstance(checked_headers, Problem):
        return checked_headers
    return Place(address, checked_key, checked_headers or {})


def stored_place(row: SealedUpstream, outbound: OutboundRules, sealer: Sealer) -> Place | Problem:
    """Refuses: bad_request (no key is stored, or an address that is not allowed any more), credential_unavailable."""
    if row.sealed_key is None:
        return bad("api_key", "must be entered again")
    address = check_address(row.upstream.base_url, outbound)
    if isinstance(address, Problem):
        return address
    try:
        key = unseal(row.sealed_key, row.upstream.key_place, sealer.keys)
        text = unseal(row.sealed_headers, row.upstream.headers_place, sealer.keys) if row.sealed_headers else "{}"
    except SealError as error:
        return Problem(Code.CREDENTIAL_UNAVAILABLE, str(error))
    headers = read_extra_headers(text.encode())
    if isinstance(headers, HeaderRule) or isinstance(check_key(key), Problem):
        return Problem(Code.CREDENTIAL_UNAVAILABLE, "the stored key or headers cannot be sent")
    return Place(address, key, headers)


async def try_upstream(ask: Asking, place: Place, row: SealedUpstream, model: object = None) -> Probed | Problem:
    """With `model`, or the first one listed. Refuses: bad_request (no model)."""
    if model is None:
        model = next((one.id for one in read_models(row.upstream.model_metadata)), "")
    if not isinstance(model, str) or not model.strip() or len(model) > ID_CHARACTERS_MAX:
        return bad("model", "must be the id of a model, because none is listed")
    body = encode({"model": model, "messages": [{"role": "user", "content": "Say hi"}], "max_tokens": 1})
    upstream = place.upstream
    before, after = upstream.head
    head = b"%b%bContent-Length: %d\r\n" % (before, after, len(body))
    answer = await ask(upstream, head, body, TEST_S, BODY_BYTES_MAX)
    works = answer is not None and 200 <= answer[0] < 300
    return Probed(works, WORKS if works else FAILED)


async def discover_models(ask: Asking, place: Place) -> list[dict[str, Any]] | Problem:
    """What the endpoint lists, as entries of `model_metadata`. Refuses: bad_request."""
    upstream = place.upstream
    head = b"GET %b/models%b" % (place.address.path.encode(), upstream.head[1])
    answer = await ask(upstream, head, b"", DISCOVER_S, BODY_BYTES_MAX)
    if answer is None:
        return _not_loaded("no answer")
    status, body = answer
    if not 200 <= status < 300:
        return _not_loaded(str(status))
    try:
        listed = decode_object(body).get("data")
    except BodyError:
        listed = None
    if not isinstance(listed, list):
        return _not_loaded("not a list of models")
    return listed_models(listed)


def listed_models(listed: list[Any]) -> list[dict[str, Any]]:
    """The usable ones, each id once; those that say what they can do, and not that they call tools, are left out."""
    models: dict[str, dict[str, Any]] = {}
    for entry in listed:
        id_ = entry.get("id") if isinstance(entry, dict) else None
        if not isinstance(id_, str) or not id_.strip() or len(id_) > ID_CHARACTERS_MAX or not id_.isprintable():
            continue
        features = entry.get("supported_features")
        if isinstance(features, list) and "tools" not in features:
            continue
        models.setdefault(id_.lower(), _model(id_, entry))
    return list(models.values())[:MODELS_MAX]


def _model(id_: str, entry: dict[str, Any]) -> dict[str, Any]:
    name = entry.get("name")
    modalities = entry.get("input_modalities")
    model: dict[str, Any] = {
        "id": id_,
        "name": (name if isinstance(name, str) and name.strip() else id_).rpartition("/")[2] or id_,
        "supportsVision": isinstance(modalities, list) and "image" in modalities,
    }
    context = _count(entry.get("context_length")) or _count(entry.get("max_model_len"))
    completion = _count(entry.get("max_output_length"))
    if context:
        model["context_length"] = context
    if completion:
        model["max_completion_tokens"] = completion
    return model


def _count(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 < value < TOKENS_END else None


def _not_loaded(why: str) -> Problem:
    return Problem(Code.BAD_REQUEST, f"discovery: {why}", shown=f"Failed to load models: {why}")
