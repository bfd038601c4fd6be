"""The relays under way: their progress goes to the journal, and a worker that must end can end them honestly."""

from collections.abc import Callable, Iterable
from typing import Protocol

from tollway.billing.recovery import Progressed, encode_entry
from tollway.wire.answer import Answer
from tollway.wire.chat import ChatRequest
from tollway.wire.prompt_text import prompt_text_bytes

ToJournal = Callable[[Iterable[tuple[str, bytes]]], None]


class OpenRelay(Protocol):
    """`news` is what is known of its answer if that is more than when it was last asked, and the status."""

    def news(self) -> tuple[int, Answer] | None: ...

    def shut_down(self) -> None: ...


class Journaled(Protocol):
    """An exchange, as far as its progress is concerned."""

    id: str
    request: ChatRequest
    prompt_text_bytes: int | None


class OpenRelays:
    """All relays of a worker that wait for their upstream. `to_journal` takes encoded progress by request id."""

    def __init__(self, to_journal: ToJournal) -> None:
        self._to_journal = to_journal
        self._open: dict[OpenRelay, Journaled] = {}
        self._moved: set[OpenRelay] = set()  # those of which more may be known than was written down
        self._closed = False

    def add(self, relay: OpenRelay, exchange: Journaled) -> None:
        """Known from here to `remove`. After `shut_down` it is ended at once."""
        self._open[relay] = exchange
        self._moved.add(relay)  # its first bytes may have come already
        if self._closed:
            relay.shut_down()

    def remove(self, relay: OpenRelay) -> None:
        del self._open[relay]
        self._moved.discard(relay)

    def note(self, relay: OpenRelay, is_much: bool) -> None:
        """This one has gone on since its `news`. When that is much it is written down now."""
        if is_much:
            self._write((relay,))
        elif relay in self._open:
            self._moved.add(relay)

    def note_all(self) -> None:
        """Write down how far each has come that went on; call at least once a second (guarantees M4)."""
        moved, self._moved = self._moved, set()
        self._write(moved)

    def _write(self, relays: Iterable[OpenRelay]) -> None:
        entries = []
        for relay in relays:
            exchange = self._open.get(relay)
            news = relay.news() if exchange else None
            if exchange and news:
                if exchange.prompt_text_bytes is None:  # counted for those that take long, and once
                    exchange.prompt_text_bytes = prompt_text_bytes(exchange.request.body)
                entries.append((exchange.id, encode_entry(Progressed(*news, exchange.prompt_text_bytes))))
        if entries:
            self._to_journal(entries)

    def shut_down(self) -> int:
        """End every one with an error event; how many there were."""
        self._closed = True
        relays = tuple(self._open)
        for relay in relays:
            relay.shut_down()
        return len(relays)
