"""What free use needs from storage: windows in which each decision is one atomic step, and a log of what was used."""

from collections.abc import Awaitable
from datetime import datetime
from typing import Protocol

from msgspec import Struct

from tollway.limits.rules import Rule


class Full(Struct, frozen=True):
    """There is no place under this rule; the next one comes free in so many milliseconds (at least 1)."""

    rule: Rule
    frees_in_ms: int


class WindowsUnavailableError(Exception):
    """The store did not answer in time. What was asked may have happened all the same."""


class Windows(Protocol):
    """The windows of every limiting key. `None` is yes. Methods raise WindowsUnavailableError.

    A request holds at most one place, by its id, for at most HOLD_MS; it is logged at most once.
    """

    def reserve(self, key: str, request_id: str) -> Awaitable[Full | None]:
        """Hold a place in the hosted window, which counts entries and live places."""
        ...

    def check(self, key: str) -> Awaitable[Full | None]:
        """Whether the promotion window has a place. Changes nothing."""
        ...

    def commit(self, key: str, request_id: str, is_anonymous: bool) -> Awaitable[Full | None]:
        """Turn the place into an entry: of the hosted window, and of the promotion window if nobody signed in.

        All or nothing, so neither window ever has more entries than its rule allows: a full promotion window gives the
        place back, and without a live place one is looked for.
        """
        ...

    def release(self, key: str, request_id: str) -> Awaitable[None]:
        """Give the place back; nothing when there is none."""
        ...


class FreeUse(Struct, frozen=True):
    """One use of a hosted free model. `address_hash` stands for where it came from; `user_id` is None for nobody."""

    request_id: str
    address_hash: str
    model: str
    user_id: str | None
    used_at: datetime


class FreeUseLog(Protocol):
    def add(self, use: FreeUse) -> Awaitable[None]:
        """Store it; when this returns it is stored. Raises StoreUnavailableError."""
        ...
