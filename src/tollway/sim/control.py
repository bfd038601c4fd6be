"""What a request may tell the stand-in to do, and where it may say so.

Three places, later wins: the model id (`sim/story@chunks=50,delay_ms=5`), the header `x-sim: {"chunks":50}`, and the
body key `"sim": {…}`. Values are JSON; a bare word in a model id is a string. Unknown names and bad values are refused.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import lru_cache
from typing import Any, Final

import msgspec

from tollway.sim.refusal import Refusal
from tollway.sim.values import (
    Lookup,
    integer_between,
    one_of,
    read_cost,
    read_encoding,
    read_flag,
    read_headers,
    read_id,
    read_lookups,
    read_milliseconds,
    read_object,
    read_replay,
    read_split,
    read_text,
)


class Fault(StrEnum):
    """One thing that goes wrong. `at` is counted in chunks that carry tokens: the fault strikes after that many."""

    STALL = "stall"
    STALL_HEADERS = "stall_headers"
    DRIP = "drip"
    RESET = "reset"
    RESET_BEFORE = "reset_before"
    CLOSE_BEFORE = "close_before"
    HALF_CLOSE = "half_close"
    CUT = "cut"
    END_EARLY = "end_early"
    GARBAGE = "garbage"
    BAD_JSON = "bad_json"
    BAD_CHUNKING = "bad_chunking"
    SHORT_LENGTH = "short_length"
    LONG_LENGTH = "long_length"
    BOTH_LENGTHS = "both_lengths"
    AFTER_DONE = "after_done"
    LONG_LINE = "long_line"
    ENDLESS = "endless"
    ERROR_EVENT = "error_event"
    BIG_HEADERS = "big_headers"
    MANY_1XX = "many_1xx"
    REDIRECT = "redirect"
    NOT_HTTP = "not_http"
    EMPTY = "empty"
    NO_DONE = "no_done"
    HANG_AFTER_DONE = "hang_after_done"


class UsageMode(StrEnum):
    """How the usage of an answer is misreported."""

    OMIT = "omit"
    NULL = "null"
    NULLS = "nulls"
    TWICE = "twice"
    EVERY = "every"
    NEGATIVE = "negative"
    FLOAT = "float"
    STRING = "string"
    HUGE = "huge"


class LineEnd(StrEnum):
    """What ends a line of an event stream."""

    LF = "lf"
    CRLF = "crlf"
    CR = "cr"


@dataclass(frozen=True, slots=True)
class Control:
    """Everything one request asked for.

    None means the model's own default. `cost` is JSON text, reported as it stands. `split` is a segment size in bytes.
    `bytes` is the length of the line of `long_line`; `location` is where `redirect` points. `tool` is the function that
    `sim/toolsmith` calls, `arguments` the JSON object it is called with. `lookups` are the statuses that the first
    look-ups of this answer get, one after the other, `reset` one whose connection is reset; those after them are told
    the truth. `id` is that of the answer. `cut_at` sends so many bytes first, and the rest a moment later.
    """

    chunks: int | None = None
    tokens_per_chunk: int = 1
    delay_ms: float = 0
    first_delay_ms: float = 0
    first_event_delay_ms: float = 0
    seed: int = 1
    text: str | None = None
    cost: str | None = None
    usage: UsageMode | None = None
    tool: str | None = None
    arguments: str | None = None
    reasoning_tokens: int | None = None
    cached_tokens: int | None = None
    status: int | None = None
    error_body: str | None = None
    headers: tuple[tuple[str, str], ...] = ()
    fail_first: int = 0
    key: str = ""
    line_end: LineEnd = LineEnd.LF
    bom: bool = False
    comments: bool = False
    split: int | None = None
    content_encoding: str | None = None
    fault: Fault | None = None
    at: int = 3
    drip_ms: float = 50
    bytes: int = 2_097_152
    location: str = "/elsewhere"
    replay: str | None = None
    lookups: tuple[Lookup, ...] = ()
    id: str | None = None
    cut_at: int | None = None

    def without_failure(self) -> "Control":
        """The same request once its `fail_first` failures are used up."""
        return replace(self, status=None, error_body=None, fault=None)


PLAIN: Final = Control()


def split_model_id(model_id: str) -> tuple[str, Mapping[str, bytes] | Refusal]:
    """`sim/story@chunks=5` as the id without its suffix and the suffix's controls as JSON texts."""
    name, mark, suffix = model_id.partition("@")
    if not mark:
        return name, {}
    layer: dict[str, bytes] = {}
    for pair in suffix.split(","):
        control, equals, value = pair.partition("=")
        if not equals:
            return name, Refusal(400, f"model id control {pair!r} is not name=value")
        layer[control] = _as_json(value)
    return name, layer


def read_header(value: str) -> Mapping[str, bytes] | Refusal:
    """The `x-sim` header as JSON texts by name."""
    try:
        return _opened(msgspec.json.decode(value.encode("latin-1"), type=dict[str, msgspec.Raw]))
    except (msgspec.MsgspecError, UnicodeError, RecursionError) as error:
        return Refusal(400, f"x-sim is not a JSON object: {error}")


def read_body_key(controls: Mapping[str, msgspec.Raw] | None) -> Mapping[str, bytes]:
    """The body key `sim` as JSON texts by name."""
    return _opened(controls) if controls else {}


def parse_control(layers: Iterable[Mapping[str, bytes]]) -> Control | Refusal:
    """Merge layers of JSON texts, later ones winning, into one control."""
    texts: dict[str, bytes] = {}
    for layer in layers:
        texts.update(layer)
    return _parse(tuple(texts.items())) if texts else PLAIN


@lru_cache(maxsize=1024)
def _parse(texts: tuple[tuple[str, bytes], ...]) -> Control | Refusal:
    values: dict[str, Any] = {}
    for name, text in texts:
        reader = _READERS.get(name)
        if reader is None:
            return Refusal(400, f"unknown sim control {name!r}")
        try:
            values[name] = reader(text)
        except (ValueError, RecursionError) as error:
            return Refusal(400, f"bad sim control {name!r}: {error}")
    return Control(**values)


def _opened(controls: Mapping[str, msgspec.Raw]) -> Mapping[str, bytes]:
    return {name: bytes(raw) for name, raw in controls.items()}


def _as_json(value: str) -> bytes:
    text = value.encode()
    try:
        msgspec.json.decode(text)
    except (msgspec.MsgspecError, RecursionError):
        return msgspec.json.encode(value)
    return text


_READERS: Final[Mapping[str, Callable[[bytes], object]]] = {
    "chunks": integer_between(0, 10_000_000),
    "tokens_per_chunk": integer_between(1, 10_000),
    "delay_ms": read_milliseconds,
    "first_delay_ms": read_milliseconds,
    "first_event_delay_ms": read_milliseconds,
    "seed": integer_between(0, 2**63 - 1),
    "text": read_text,
    "tool": read_text,
    "arguments": read_object,
    "cost": read_cost,
    "usage": one_of(UsageMode),
    "reasoning_tokens": integer_between(0, 10_000_000),
    "cached_tokens": integer_between(0, 2**53),
    "status": integer_between(100, 999),
    "error_body": read_text,
    "headers": read_headers,
    "fail_first": integer_between(0, 1_000_000),
    "key": read_text,
    "line_end": one_of(LineEnd),
    "bom": read_flag,
    "comments": read_flag,
    "split": read_split,
    "content_encoding": read_encoding,
    "fault": one_of(Fault),
    "at": integer_between(0, 10_000_000),
    "drip_ms": read_milliseconds,
    "bytes": integer_between(64, 268_435_456),
    "location": read_text,
    "replay": read_replay,
    "lookups": read_lookups,
    "id": read_id,
    "cut_at": integer_between(1, 16_777_216),
}
