"""Callers whose requests for one model cost nothing for a time. Pure; the windows are data of the preset.

A promotion waives what a request costs, and with that the balance: whatever else applies to it still does.
Source: request-path 9.5, response-path 6.8.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from tollway.catalog.preset import PresetError, Promotion
from tollway.identity.caller import Caller

CLAIMS: Final = ("bot_id", "token_source")


@dataclass(frozen=True, slots=True)
class Promoted:
    """Callers whose `claim` has this `value`, from `start` (None: always) to before `end`."""

    claim: str
    value: str
    start: datetime | None
    end: datetime


Promotions = Mapping[str, tuple[Promoted, ...]]  # by model id


def read_promotions(entries: Iterable[Promotion]) -> Promotions:
    """By model. Raises PresetError for a claim that callers do not have and for what is no instant."""
    found: dict[str, tuple[Promoted, ...]] = defaultdict(tuple)
    for entry in entries:
        if entry.claim not in CLAIMS:
            raise PresetError(f"preset: promotions: claim must be one of {', '.join(CLAIMS)}")
        start = _instant("start", entry.start) if entry.start else None
        found[entry.model] += (Promoted(entry.claim, entry.value, start, _instant("end", entry.end)),)
    return dict(found)


def is_promoted(promotions: Promotions, caller: Caller, model_id: str, now: datetime) -> bool:
    """Whether a promotion applies to this caller's request for the model at the instant `now`."""
    for one in promotions.get(model_id, ()):
        claimed = caller.bot_id if one.claim == "bot_id" else caller.token_source
        if claimed == one.value and (one.start is None or one.start <= now) and now < one.end:
            return True
    return False


def _instant(field: str, text: str) -> datetime:
    """ISO 8601; without a zone it is UTC."""
    try:
        value = datetime.fromisoformat(text)
    except ValueError:
        raise PresetError(f"preset: promotions: {field}: {text!r} is no instant") from None
    return value.astimezone(UTC) if value.tzinfo else value.replace(tzinfo=UTC)
