"""Checks of what people enter about custom upstreams: the value as it is stored, or a Problem that names the field and
never repeats what was entered. Pure. Source: request-path 12.3 to 12.5."""

import re
from collections.abc import Container, Iterable
from typing import Any, Final

from msgspec.json import encode

from tollway.admin.fields import bad
from tollway.catalog.preset import Preset
from tollway.errors import Problem
from tollway.identity.authority import UrlRule
from tollway.identity.base_url import BaseUrl, read_base_url
from tollway.identity.extra_headers import ExtraHeaders, HeaderRule, check_extra_headers
from tollway.identity.outbound import OutboundRules
from tollway.identity.upstream_models import ID_CHARACTERS_MAX

NAME_CHARACTERS_MAX: Final = 100
KEY_CHARACTERS_MAX: Final = 8_192
MODELS_MAX: Final = 500
METADATA_BYTES_MAX: Final = 65_536
TOKENS_END: Final = 2**53  # what every reader of JSON has exactly
OWN_NAMES: Final = frozenset({"tollway", "custom"})

_PROVIDER_ID: Final = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,46}[a-z0-9])?")
_KEY: Final = re.compile(rf"[!-~](?:[ -~]{{0,{KEY_CHARACTERS_MAX - 2}}}[!-~])?")
_COUNTS: Final = ("context_length", "max_completion_tokens")
_FLAGS: Final = ("supportsVision", "supportsReasoning")


def reserved_names(preset: Preset, model_ids: Iterable[str], provider_ids: Iterable[str]) -> frozenset[str]:
    """First segments that already mean something, lower-cased: an upstream of that name would silently take over what
    they stand for. `model_ids`: of the catalog. Source: request-path 12.4.1."""
    ids = [*model_ids, *preset.free_models, *preset.unavailable_models]
    ids += (model.public_id for model in preset.hosted_models)
    for model in preset.auto_models:
        ids += (model.id, *model.aliases)
    segments = {id_.partition("/")[0].lower() for id_ in ids}
    return OWN_NAMES | segments | frozenset(preset.reserved_names) | frozenset(provider_ids)


def check_provider_id(value: object, reserved: Container[str]) -> str | Problem:
    if not isinstance(value, str) or not _PROVIDER_ID.fullmatch(value):
        return bad("provider_id", "must be 1 to 48 lower-case letters, digits and hyphens, no hyphen at either end")
    if value in reserved:
        return bad("provider_id", "this name is reserved")
    return value


def check_display_name(value: object) -> str | Problem:
    name = value.strip() if isinstance(value, str) else ""
    if not 1 <= len(name) <= NAME_CHARACTERS_MAX or not name.isprintable():
        return bad("display_name", f"must have 1 to {NAME_CHARACTERS_MAX} characters, none of them control characters")
    return name


def check_address(value: object, rules: OutboundRules) -> BaseUrl | Problem:
    """Names are still to be looked up."""
    read = read_base_url(value, rules) if isinstance(value, str) else UrlRule.SCHEME
    return bad("base_url", read.value) if isinstance(read, UrlRule) else read


def check_key(value: object) -> str | Problem:
    """What goes into a header as it stands: visible ASCII, with spaces only inside."""
    key = value.strip() if isinstance(value, str) else ""
    if not _KEY.fullmatch(key):
        return bad("api_key", f"must have 1 to {KEY_CHARACTERS_MAX} characters of visible ASCII")
    return key


def check_headers(value: object) -> ExtraHeaders | Problem | None:
    """None for none."""
    if value is None:
        return None
    headers = check_extra_headers(value)
    return bad("extra_headers", headers.value) if isinstance(headers, HeaderRule) else headers or None


def check_flag(field: str, value: object) -> bool | Problem:
    return value if isinstance(value, bool) else bad(field, "must be true or false")


def check_metadata(value: object) -> dict[str, Any] | Problem:
    """What is not ours in it stays. Source: request-path 12.4.4."""
    if not isinstance(value, dict):
        return bad("model_metadata", "must be an object")
    text = encode(value)
    if len(text) > METADATA_BYTES_MAX:
        return bad("model_metadata", f"must have at most {METADATA_BYTES_MAX} bytes")
    if b"\\u0000" in text:  # which PostgreSQL does not store
        return bad("model_metadata", "must not contain NUL")
    models = value.get("models", [])
    if not isinstance(models, list) or len(models) > MODELS_MAX:
        return bad("model_metadata", f"models must be a list of at most {MODELS_MAX}")
    seen: set[str] = set()
    for model in models:
        broken = _broken_rule(model)
        if broken:
            return bad("model_metadata", broken)
        if model["id"].lower() in seen:
            return bad("model_metadata", "ids of models must not repeat, whatever their case")
        seen.add(model["id"].lower())
    return value


def _broken_rule(model: object) -> str:
    """ "" when it is a model."""
    if not isinstance(model, dict):
        return "each model must be an object"
    id_ = model.get("id")
    if not isinstance(id_, str) or not id_.strip() or len(id_) > ID_CHARACTERS_MAX or not id_.isprintable():
        return f"ids of models must have 1 to {ID_CHARACTERS_MAX} characters"
    if not isinstance(model.get("name", ""), str):
        return "names of models must be texts"
    if not all(isinstance(model.get(flag, False), bool) for flag in _FLAGS):
        return f"{' and '.join(_FLAGS)} must be true or false"
    for name in _COUNTS:
        count = model.get(name, 1)
        if not isinstance(count, int) or isinstance(count, bool) or not 0 < count < TOKENS_END:
            return f"{name} must be a number of tokens"
    return ""
