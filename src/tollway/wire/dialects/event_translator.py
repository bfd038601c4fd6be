"""What all translators of streams do alike: cut the bytes into events, take one after the other, and end once.

Whatever comes, nothing here raises. Source: response-path 5.10, 5.12, guarantees §12.
"""

from abc import ABC, abstractmethod
from typing import Final

from tollway.wire.dialects.chat_output import ERROR
from tollway.wire.dialects.provider_error import ProviderError
from tollway.wire.dialects.refusal import BAD_GATEWAY, TOO_LONG
from tollway.wire.scan import LINE_BYTES_MAX
from tollway.wire.sse import EventDecoder

_TOO_LONG: Final = ProviderError(TOO_LONG, BAD_GATEWAY)


class EventTranslator(ABC):
    """Feed it the body of a stream in one dialect; it gives back that of the other.

    `finish_reason` is a chat one; None: not said yet. `is_finished`: the answer is complete. `error`: what the client
    was told, after which nothing comes. `too_long`: an event was longer than allowed, which is an error too.
    """

    __slots__ = ("_decoder", "error", "finish_reason", "is_finished")

    def __init__(self, event_bytes_max: int = LINE_BYTES_MAX) -> None:
        self._decoder = EventDecoder(event_bytes_max)
        self.finish_reason: str | None = None
        self.error: ProviderError | None = None
        self.is_finished = False

    @property
    def too_long(self) -> bool:
        return self._decoder.too_long

    @property
    def has_ended(self) -> bool:
        """Nothing comes after this."""
        return self.is_finished or self.error is not None

    def feed(self, data: bytes) -> bytes:
        """What `data` completed; b"" if nothing."""
        return self._take_all(self._decoder.feed(data))

    def close(self) -> bytes:
        """The upstream ended its body as it should: what was kept, and the end of the answer if it is still due."""
        rest = self._take_all(self._decoder.close())
        return rest if self.has_ended else rest + self._conclude()

    def fail(self, error: ProviderError) -> bytes:
        """What ends an answer that did not finish; nothing when it has ended."""
        if self.has_ended:
            return b""
        self.error = error
        self.finish_reason = ERROR
        return self._tell(error)

    def _take_all(self, events: list[bytes]) -> bytes:
        written = b"".join([self._take(event) for event in events if not self.has_ended])
        return written + self.fail(_TOO_LONG) if self.too_long else written

    @abstractmethod
    def _take(self, data: bytes) -> bytes:
        """What the event with this data comes to."""

    @abstractmethod
    def _conclude(self) -> bytes:
        """The end of an answer that is still open when its body has ended; b"" if that does not complete it."""

    @abstractmethod
    def _tell(self, error: ProviderError) -> bytes:
        """The error in the other dialect."""
