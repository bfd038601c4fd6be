"""Server-sent events, decoded from the bytes of a stream however they were cut. Pure.

For readers that need the data of every event, such as translators. What is only forwarded goes through `scan.py`, which
opens few of them. Source: response-path 4.8, guarantees S2 and §12 (SSE line).
"""

import re
from typing import Final

from msgspec import MsgspecError
from msgspec.json import Decoder

from tollway.wire.answer import BOM
from tollway.wire.json_body import DEPTH_MAX, JsonObject, JsonValue
from tollway.wire.scan import LINE_BYTES_MAX

DONE: Final = b"[DONE]"

_FIELD: Final = b"data: "
_FIELD_BYTES: Final = len(_FIELD)
_LINE_END: Final = rb"(?:\r\n?+|\n)"  # possessive: a CR never lets go of its LF
_EVENT_END: Final = re.compile(_LINE_END + _LINE_END)
_LINE_END_BYTES: Final = b"\r\n"
_PARTIAL_END_BYTES: Final = 3  # what a line end and half of another one take at most
_object: Final = Decoder(JsonObject)


class EventDecoder:
    """Feed it the body of a stream; it gives back the data of the events that are complete.

    Lines end with LF, CR LF or CR only; several `data` lines are joined with LF; a leading byte order mark, comments,
    unknown fields and events without data are skipped. `too_long`: an event, without the blank line that ends it, was
    longer than `event_bytes_max`; nothing is returned from there on. At most that much, and a little, is kept.
    """

    __slots__ = ("_at_start", "_event_bytes_max", "_kept", "too_long")

    def __init__(self, event_bytes_max: int = LINE_BYTES_MAX) -> None:
        self.too_long = False
        self._event_bytes_max = event_bytes_max
        self._kept = bytearray()  # an incomplete event; never begins with a line end
        self._at_start = True  # a byte order mark may still come

    def feed(self, data: bytes) -> list[bytes]:
        """The data of the events that `data` completed, in order."""
        if self.too_long:
            return []
        begin = -1 if self._kept or len(data) > self._event_bytes_max else _data_of_one_event(data)
        if begin < 0:
            return self._feed(data)
        self._at_start = False
        return [data[begin:-2]]

    def _feed(self, data: bytes) -> list[bytes]:
        kept = self._kept
        searched = max(0, len(kept) - 2)  # a CR LF may continue an end that began in what was kept
        kept += data
        has_cr = b"\r" in data  # one that was kept could end an event only together with another
        found: list[bytes] = []
        begin = 0
        while not self.too_long:
            while begin < len(kept) and kept[begin] in _LINE_END_BYTES:
                begin += 1  # blank lines between events belong to none
                self._at_start = False
            end, after = self._event_end(max(begin, searched), has_cr)
            if end < 0:
                self.too_long = len(kept) - begin > self._event_bytes_max + _PARTIAL_END_BYTES
                break
            self._take(bytes(kept[begin:end]), found)
            begin = after
        del kept[: len(kept) if self.too_long else begin]
        return found

    def _event_end(self, begin: int, has_cr: bool) -> tuple[int, int]:
        """Where the first event ends that does so after `begin`, before and after its blank line; (-1, -1): not yet."""
        if not has_cr:
            end = self._kept.find(b"\n\n", begin)
            return end, end + 2
        found = _EVENT_END.search(self._kept, begin)
        return found.span() if found else (-1, -1)

    def close(self) -> list[bytes]:
        """End of the body: what was kept, treated as a complete event."""
        found: list[bytes] = []
        if not self.too_long:
            self._take(bytes(self._kept), found)
        self._kept.clear()
        return found

    def _take(self, event: bytes, found: list[bytes]) -> None:
        event = event.rstrip(_LINE_END_BYTES)
        if len(event) > self._event_bytes_max:
            self.too_long = True
            return
        if self._at_start:
            event = event.removeprefix(BOM)
            self._at_start = False
        lines = event.splitlines()  # of bytes: at CR LF, LF and CR only
        values = [line[5:].removeprefix(b" ") for line in lines if line.startswith(b"data:")]
        if values:
            found.append(b"\n".join(values))


def _data_of_one_event(data: bytes) -> int:
    """Where its data begins when `data` is the ordinary case: one event of one line, which may be named in a line
    before, in one piece; -1 when it is not."""
    named = data.find(b"\n") + 1 if data.startswith(b"event: ") else 0
    if not data.startswith(_FIELD, named) or not data.endswith(b"\n\n") or b"\r" in data:
        return -1
    return named + _FIELD_BYTES if data.count(b"\n") == (3 if named else 2) else -1


def read_object(data: bytes) -> JsonObject | None:
    """The JSON object in an event's data or in a body; None for anything else. Never raises.

    Deeper than DEPTH_MAX is no object either: what can be decoded could then not always be encoded again.
    """
    try:
        tree = _object.decode(data)
    except (MsgspecError, ValueError, RecursionError):
        return None
    openings = data.count(b"{") + data.count(b"[")  # those inside strings too
    return None if openings > DEPTH_MAX and _is_too_deep(tree) else tree


def _is_too_deep(tree: JsonObject) -> bool:
    level: list[JsonValue] = [tree]
    for _ in range(DEPTH_MAX):
        level = [
            value
            for one in level
            for value in (one.values() if isinstance(one, dict) else one)
            if isinstance(value, dict | list)
        ]
        if not level:
            return False
    return True
