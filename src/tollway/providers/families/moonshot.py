"""Kimi models: their hosts want to choose the temperature. Source: request-path 11.9.4."""

from typing import Final

from tollway.providers.rule import Attempt, Draft, Rule, Target
from tollway.wire.edits import without

VENDOR: Final = "moonshotai"


def rules(_: Target) -> tuple[Rule, ...]:
    """The rules for a model of this vendor."""
    return (leave_temperature,)


def leave_temperature(draft: Draft, _: Attempt) -> Draft:
    return draft.with_body(without(draft.body, ("temperature",)))
