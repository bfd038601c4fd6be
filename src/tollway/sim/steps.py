"""What a connection does next: the small language between planning an answer and playing it."""

from enum import StrEnum
from typing import NamedTuple


class Send(NamedTuple):
    """Write bytes, and count what they carry; `reported_usage` is JSON text."""

    data: bytes
    completion_tokens: int = 0
    reasoning_tokens: int = 0
    reported_usage: str | None = None


class Wait(NamedTuple):
    """Send what is pending, then let so many milliseconds pass; 0 lets others run once."""

    delay_ms: float


class Ended(NamedTuple):
    """Nothing more will be generated: record the answer now. Comes exactly once, before the last bytes.

    ending: `complete`, `refused`, or the name of the fault that stopped it.
    """

    ending: str


class Leave(StrEnum):
    """How the connection is left; always the last step."""

    KEEP_ALIVE = "keep_alive"
    CLOSE = "close"
    RESET = "reset"
    HALF_CLOSE = "half_close"
    HOLD = "hold"


Step = Send | Wait | Ended | Leave
