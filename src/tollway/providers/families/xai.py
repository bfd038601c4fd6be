"""Grok models: the headers that keep one conversation at one cache. Source: request-path 11.7 and 11.9.2."""

from typing import Final

from tollway.providers.rule import Attempt, Draft, Rule, Target, header_text
from tollway.providers.tool_choice import require_tool

VENDOR: Final = "x-ai"


def rules(_: Target) -> tuple[Rule, ...]:
    """The rules for a model of this vendor."""
    return (require_tool, name_conversation)


def name_conversation(draft: Draft, attempt: Attempt) -> Draft:
    """The conversation is known by its cache key; without one it is a new conversation every time."""
    conversation = header_text(draft.body.get("prompt_cache_key")) or attempt.new_uuid()
    return draft.with_headers({"x-grok-conv-id": conversation, "x-grok-req-id": attempt.new_uuid()})
