"""What the gateway remembers of OpenAI's assistant messages: the phase of each, which Chat Completions cannot carry."""

from collections.abc import Awaitable, Collection, Mapping
from datetime import datetime, timedelta
from typing import Final, Protocol

KEPT: Final = timedelta(days=30)  # a conversation that rests longer goes on without its phases (response-path 5.9)


class Phases(Protocol):
    """Phases by key (`wire/dialects/phases.py` makes the keys). Methods raise StoreUnavailableError.

    Whoever calls must not let an answer wait for them, nor a request fail because they are not to be had.
    """

    def find(self, keys: Collection[str]) -> Awaitable[Mapping[str, str]]:
        """Key → phase of those that are known, in one query; none is asked for no keys."""
        ...

    def remember(self, phases: Mapping[str, str]) -> Awaitable[None]:
        """Key → phase. The first phase of a key stays."""
        ...

    def forget(self, before: datetime, rows_max: int) -> Awaitable[int]:
        """Delete what is older than `before`, at most `rows_max`, oldest first; how many that were."""
        ...
