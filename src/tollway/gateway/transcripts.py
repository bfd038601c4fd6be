"""Requests and answers that an operator has kept, word for word: whose, and how they get to where they are kept.

Off unless somebody is named; an organization must want it as well. They wait in memory, bounded, and are written in the
background: nobody waits for them, and beyond the bound they are dropped and counted. Source: response-path 10;
guarantees P1, P3.
"""

from collections import deque
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Final, Protocol

from msgspec import Struct

from tollway.billing.store import StoreUnavailableError
from tollway.identity.caller import Caller
from tollway.observability.logs import get_log
from tollway.settings import RequestLogSettings

BATCH_BYTES: Final = 4 * 1024**2  # written at once, if one alone is not more
BATCH_MAX: Final = 50

_log = get_log()


class Copy:
    """`request` was sent; of the answer's body the first bytes are kept, as many as there is room for."""

    __slots__ = ("_pieces", "_room", "request")

    def __init__(self, request: bytes, response_bytes_max: int) -> None:
        self.request = request
        self._room = response_bytes_max
        self._pieces: list[bytes] = []

    def take(self, data: bytes) -> None:
        if self._room:
            piece = bytes(data[: self._room])
            self._room -= len(piece)
            self._pieces.append(piece)

    @property
    def response(self) -> bytes:
        return b"".join(self._pieces)


class Transcript(Struct, frozen=True):
    """`request` is the body that was sent last, `response` what came back for it; neither is redacted yet. `status`:
    the upstream's."""

    id: str
    at: datetime
    user_id: str
    organization_id: str | None
    provider_id: str
    model: str
    status: int
    request: bytes
    response: bytes

    @property
    def size(self) -> int:
        return len(self.request) + len(self.response)


class TranscriptStore(Protocol):
    """Methods raise StoreUnavailableError."""

    async def add(self, transcripts: Sequence[Transcript]) -> None:
        """All or none, each once, and none of a user who was deleted meanwhile or of an organization that does not
        want it any more. Raises ValueError when it will never take them."""
        ...


class Transcripts:
    """`on_drop(count)` hears of those that could not be kept. `flush` must not run twice at once."""

    def __init__(
        self, settings: RequestLogSettings, store: TranscriptStore, on_drop: Callable[[int], object] = lambda _: None
    ) -> None:
        self._settings = settings
        self._store = store
        self._on_drop = on_drop
        self._waiting: deque[Transcript] = deque()
        self._waiting_bytes = 0

    def __len__(self) -> int:
        return len(self._waiting)

    def wants(self, caller: Caller) -> bool:
        """Whether this caller's requests are kept: never those of callers without an account."""
        if caller.is_anonymous:
            return False
        if caller.organization_id:
            return caller.keeps_requests
        return caller.email.lower().endswith(self._settings.email_suffixes)

    def copy_for(self, caller: Caller, request: bytes) -> Copy | None:
        """Where the answer to `request` is to be copied to; None: nobody wants it."""
        return Copy(request, self._settings.response_bytes) if self.wants(caller) else None

    def add(self, transcript: Transcript) -> None:
        if self._waiting_bytes + transcript.size > self._settings.waiting_bytes:
            self._on_drop(1)
            return
        self._waiting_bytes += transcript.size
        self._waiting.append(transcript)

    async def flush(self) -> None:
        """Write what waits. Raises StoreUnavailableError; what is not written waits on, then."""
        while self._waiting:
            batch = self._first()
            await self._write(batch)
            for _ in batch:
                self._waiting_bytes -= self._waiting.popleft().size

    def _first(self) -> list[Transcript]:
        batch: list[Transcript] = []
        size = 0
        for transcript in self._waiting:
            size += transcript.size
            if batch and (size > BATCH_BYTES or len(batch) == BATCH_MAX):
                break
            batch.append(transcript)
        return batch

    async def _write(self, batch: Sequence[Transcript]) -> None:
        try:
            await self._store.add(batch)
        except ValueError as error:
            if len(batch) > 1:  # one that cannot be stored must not cost the others
                for transcript in batch:
                    await self._write((transcript,))
                return
            _log.error("transcript_refused", request_id=batch[0].id, error=error)
            self._on_drop(1)

    async def flush_at_end(self) -> None:
        """The last time: what cannot be written is lost."""
        try:
            await self.flush()
        except StoreUnavailableError as error:
            _log.warning("transcripts_lost", transcripts=len(self._waiting), error=error)
