"""Qwen models: hosts refuse to be asked for more than they give. Source: request-path 11.9.5."""

from typing import Final

from tollway.providers.rule import Attempt, Draft, Rule, Target
from tollway.wire.edits import changed_at
from tollway.wire.json_body import JsonValue

VENDOR: Final = "qwen"
COMPLETION_TOKENS_MAX: Final = 32_768


def rules(_: Target) -> tuple[Rule, ...]:
    """The rules for a model of this vendor."""
    return (cap_completion,)


def cap_completion(draft: Draft, _: Attempt) -> Draft:
    body = draft.body
    for name in ("max_tokens", "max_completion_tokens"):
        body = changed_at(body, (name,), _capped)
    return draft.with_body(body)


def _capped(value: JsonValue) -> JsonValue:
    return COMPLETION_TOKENS_MAX if value.__class__ in (int, float) and value > COMPLETION_TOKENS_MAX else value
