"""Giga Potato: free models whose host is not told to anybody, its address included: it comes from the settings.

Source: request-path 11.9.9.
"""

from typing import Final

from tollway.providers.provider import Provider
from tollway.providers.rule import Attempt, Draft
from tollway.wire.json_body import JsonObject, JsonValue

_REASONING: Final = "reasoning"  # the flag of a hosted model


def add_to_system(draft: Draft, attempt: Attempt) -> Draft:
    """The preset's text for the model, as the last part of its first system message."""
    hosted, messages = attempt.target.hosted, draft.body.get("messages")
    if hosted is None or not hosted.system_addition or messages.__class__ is not list:
        return draft
    part = {"type": "text", "text": hosted.system_addition}
    return draft.with_members(messages=_with_part(messages, part))


def say_whether_to_think(draft: Draft, attempt: Attempt) -> Draft:
    """Two public models are one model there, and differ in this only."""
    hosted = attempt.target.hosted
    thinks = hosted is not None and _REASONING in hosted.flags
    return draft.with_members(thinking={"type": "enabled" if thinks else "disabled"})


def _with_part(messages: list[JsonObject], part: JsonObject) -> list[JsonObject]:
    for place, message in enumerate(messages):
        if message.get("role") == "system":
            content = [*_parts_of(message.get("content")), part]
            return [*messages[:place], {**message, "content": content}, *messages[place + 1 :]]
    return [{"role": "system", "content": [part]}, *messages]


def _parts_of(content: JsonValue) -> list[JsonValue]:
    if content.__class__ is list:
        return list(content)
    return [{"type": "text", "text": content}] if isinstance(content, str) and content else []


PROVIDER: Final = Provider(
    id="gigapotato",
    name="Giga Potato",
    dialect="openai",
    base_url="",
    identifies_application=True,
    needs_key=True,
    rules=(add_to_system, say_whether_to_think),
    source="https://github.com/Kilo-Org/cloud",
    checked="2026-11-26",
)
