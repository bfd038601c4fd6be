"""Vercel AI Gateway: an aggregator with names of its own for models, providers and their order.

Source: request-path 11.10.
"""

from typing import TYPE_CHECKING, Final

from msgspec.structs import asdict

from tollway.providers.families.anthropic import BETA_HEADER
from tollway.providers.families.anthropic import VENDOR as ANTHROPIC
from tollway.providers.own_keys import AwsCredentials, OwnKey
from tollway.providers.provider import Provider
from tollway.providers.rule import Attempt, Draft, Target
from tollway.wire.json_body import JsonObject, JsonValue

if TYPE_CHECKING:
    from tollway.catalog.preset import HostedModel

ID: Final = "vercel"
LONG_CONTEXT: Final = "context-1m-2025-08-07"
CODING_PLAN_URL: Final = "https://api.z.ai/api/coding/paas/v4"

_VENDORS: Final = {  # OpenAI's open weights have other hosts, but there they keep their name as well
    "anthropic": "anthropic",
    "google": "google",
    "openai": "openai",
    "minimax": "minimax",
    "mistralai": "mistral",
    "qwen": "alibaba",
    "x-ai": "xai",
    "z-ai": "zai",
}
_INFERENCE_PROVIDERS: Final = {
    "amazon-bedrock": "bedrock",
    "google-ai-studio": "google",
    "google-vertex": "vertex",
    "z-ai": "zai",
}
_OWN_KEYS: Final = {"codestral": "mistral"}
_CODING_PLAN: Final = "zai"
_DEFAULT_GATEWAY: Final = "openrouter"


def vercel_id(model: str, hosted: "HostedModel | None" = None, fixed: str = "") -> str:
    """The id of the resolved `model` there. `hosted` is the preset's entry of a free model, `fixed` its id there."""
    if fixed:
        return fixed
    if hosted is not None and hosted.is_enabled and hosted.gateway == _DEFAULT_GATEWAY:
        model = hosted.internal_id
    vendor, slash, name = model.partition("/")
    theirs = _VENDORS.get(vendor)
    return f"{theirs}/{name}" if slash and theirs else model


def translate(draft: Draft, attempt: Attempt) -> Draft:
    """What OpenRouter's dialect says, in Vercel's. What it cannot say (`data_collection`) is gone."""
    target = attempt.target
    body = dict(draft.body)
    routing = body.pop("provider", None)
    if not target.is_renamed:
        body["model"] = vercel_id(target.model, target.hosted, target.second_gateway_id)
    own_keys = attempt.own_keys
    gateway = _routing(routing) if own_keys is None else _own_keys(own_keys)
    verbosity = body.get("verbosity")
    options = {"gateway": gateway, **({"anthropic": {"effort": verbosity}} if verbosity else {})}
    body["providerOptions"] = options
    return Draft(body, _headers(draft.headers, target))


def inference_provider(id_: str) -> str:
    """Vercel's name for an inference provider."""
    plain = id_.partition("/")[0].lower()
    return _INFERENCE_PROVIDERS.get(plain, plain)


def _routing(given: JsonValue) -> JsonObject:
    """A restriction that cannot be read restricts to nobody: it never widens what was asked for."""
    if given.__class__ is not dict:
        return {}
    said: JsonObject = {name: _names(given[name]) for name in ("only", "order") if given.get(name) is not None}
    if given.get("zdr") is not None:
        said["zeroDataRetention"] = given["zdr"]
    return said


def _names(ids: JsonValue) -> list[str]:
    each = ids if ids.__class__ is list else [ids]
    return [inference_provider(id_) for id_ in each if isinstance(id_, str)]


def _own_keys(keys: tuple[OwnKey, ...]) -> JsonObject:
    """Only the caller's keys, never the operator's. Raises ValueError without any: nobody would pay."""
    if not keys:
        raise ValueError("own keys without a key")
    by_provider: dict[str, list[JsonObject]] = {}
    for key in keys:
        id_ = _OWN_KEYS.get(key.provider_id, key.provider_id)
        by_provider.setdefault(id_, []).extend(_entries(id_, key.secret))
    return {"only": list(by_provider), "byok": by_provider}


def _entries(id_: str, secret: str | AwsCredentials) -> list[JsonObject]:
    if isinstance(secret, AwsCredentials):
        return [asdict(secret)]
    entry = {"apiKey": secret}
    if id_ == _CODING_PLAN:  # one key, two products: which of them it was sold for is not known
        return [{**entry, "baseURL": CODING_PLAN_URL}, entry]
    return [entry]


def _headers(headers: dict[str, str], target: Target) -> dict[str, str]:
    if not target.model.startswith(f"{ANTHROPIC}/"):
        return headers
    kept = {name: value for name, value in headers.items() if name != BETA_HEADER}
    given = headers.get(BETA_HEADER)
    return {**kept, "anthropic-beta": f"{given},{LONG_CONTEXT}" if given else LONG_CONTEXT}


PROVIDER: Final = Provider(
    id=ID,
    name="Vercel AI Gateway",
    dialect="vercel",
    base_url="https://ai-gateway.vercel.sh/v1",
    reports_cost=True,
    identifies_application=True,
    generation_lookup=True,
    needs_key=True,
    obeys_order=True,
    takes_own_keys=True,
    rules=(translate,),
    source="https://vercel.com/docs/ai-gateway",
    checked="2026-11-26",
)
