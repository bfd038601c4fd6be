"""What a rule of a model family or of a provider sees, and what it gives back.

A rule makes one attempt's request fit who will serve it. Rules are pure: what they need to know comes in an Attempt,
chance included. They are chosen once for each model at each provider (rulebook.py) and run in order for every attempt.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from msgspec import Struct

from tollway.wire.json_body import JsonObject

if TYPE_CHECKING:
    from tollway.catalog.preset import HostedModel
    from tollway.providers.own_keys import OwnKey

HEADER_CHARS_MAX: Final = 512  # of a value that callers choose


class Target(Struct, frozen=True):
    """One model at one provider: all that is known before any request.

    `model` is the resolved id, lower-case; `provider_id` that of the record. `hosted` is the preset's entry of a free
    model that the operator pays for, `second_gateway_id` and `inference_order` what the preset says about the model.
    `is_renamed`: the operator has given the model another id at this upstream, which no rule replaces.
    """

    model: str
    provider_id: str
    hosted: "HostedModel | None" = None
    second_gateway_id: str = ""
    inference_order: tuple[str, ...] = ()
    is_renamed: bool = False


class Attempt(Struct, frozen=True):
    """What is known about one attempt. `own_keys`: the caller pays with these; None: the operator's key is used.
    `new_uuid` gives a fresh random UUID."""

    target: Target
    stream: bool
    new_uuid: Callable[[], str]
    own_keys: "tuple[OwnKey, ...] | None" = None


class Draft(Struct, frozen=True):
    """The request so far. `body` is never edited in place; names of `headers` are lower-case."""

    body: JsonObject
    headers: dict[str, str] = {}

    def with_body(self, body: JsonObject) -> "Draft":
        return self if body is self.body else Draft(body, self.headers)

    def with_members(self, **members: Any) -> "Draft":
        return Draft({**self.body, **members}, self.headers)

    def with_headers(self, headers: dict[str, str]) -> "Draft":
        return Draft(self.body, {**self.headers, **headers})


Rule: TypeAlias = Callable[[Draft, Attempt], Draft]


def header_text(value: object) -> str:
    """`value` as a caller sent it, if it may become a header value; else "" (it could break out of its line)."""
    fits = isinstance(value, str) and len(value) <= HEADER_CHARS_MAX and value.isascii() and value.isprintable()
    return str(value).strip() if fits else ""
