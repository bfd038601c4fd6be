"""The only place that draws randomness: request ids, row ids, secrets and dice.

A request id is 128 bits as 32 hex digits, time-ordered (48 bits of milliseconds, then 48 random bits drawn once per
process, then a 32-bit counter), because a counter costs a tenth of a random draw (measurements §5).
"""

import random
import secrets
from itertools import count
from typing import Final
from uuid import UUID, uuid4

from tollway.clock import unix_milliseconds

BASE62: Final = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

_process = 0
_counter: Final = count(secrets.randbits(16))


def begin_process() -> None:
    """Draw the process's bits; to be called again in a fork, which has its parent's: ids must never come twice."""
    global _process
    _process = secrets.randbits(48) << 32


begin_process()


def new_request_id() -> str:
    """A fresh id for one inbound request: time-ordered, unique across processes and restarts."""
    number = unix_milliseconds() << 80 | _process | next(_counter) & 0xFFFFFFFF
    return number.to_bytes(16, "big").hex()


def new_id() -> str:
    """A fresh random id (UUID 4) for a stored row."""
    return str(uuid4())


def is_uuid(text: str) -> bool:
    """Whether `text` is a UUID in its canonical spelling (any case)."""
    try:
        return str(UUID(text)) == text.lower()
    except ValueError:
        return False


def random_text(length: int, alphabet: str = BASE62) -> str:
    """`length` secret characters, base62 ones if nothing else is said."""
    return "".join(secrets.choice(alphabet) for _ in range(length))


def random_bytes(length: int) -> bytes:
    """`length` secret bytes."""
    return secrets.token_bytes(length)


def jitter(low: float, high: float) -> float:
    """A number between `low` and `high` for back-off and spread; not a secret."""
    return random.uniform(low, high)  # noqa: S311  (spread, not security)
