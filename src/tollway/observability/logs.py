"""Logs: one JSON object per line on standard error, secrets masked, control characters escaped.

structlog carries rare events. The one line per request goes through `RequestLog`, a buffer flushed twice a second,
because a write per request would cost more than the request's whole bookkeeping (measurements §5).
"""

import json
import logging
import re
import sys
from collections.abc import Callable, Mapping, MutableMapping, Sequence
from datetime import datetime
from typing import Any, Final, TextIO

import msgspec
import structlog
from msgspec import Struct
from msgspec.structs import replace

from tollway.observability.redact import redact

_LEVELS: Final = {"debug": 10, "info": 20, "warning": 30, "error": 40}
LINES_KEPT_MAX: Final = 20_000
_UNPRINTABLE: Final = re.compile("[\x7f-\x9f\u2028\u2029]")  # JSON itself escapes only those below the space


def configure_logs(level: str, out: TextIO | None = None) -> None:
    """Send structlog and the standard library's loggers to `out` (standard error) as JSON lines."""
    stream = out or sys.stderr
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            _describe_exception,
            _redact_event,
            structlog.processors.JSONRenderer(serializer=_to_json),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(_LEVELS[level]),
        logger_factory=structlog.WriteLoggerFactory(file=stream),
        cache_logger_on_first_use=True,
    )
    root = logging.getLogger()
    root.handlers[:] = [_ToStructlog()]
    root.setLevel(max(_LEVELS[level], logging.WARNING))
    logging.captureWarnings(True)


def get_log() -> Any:
    """A logger: `log.warning("event", field=value)`."""
    return structlog.get_logger()


class RequestLine(Struct, frozen=True, tag_field="event", tag="request"):
    """What is told about one request, in this order. `auto_model`: what `model` was asked for as. `attempts` were made
    before it ended, `ms` is how long it took."""

    time: datetime
    request_id: str
    path: str
    status: int
    user: str | None
    organization: str | None
    model: str | None
    auto_model: str | None
    attempts: Sequence[str]
    client_gone: bool
    ms: float
    code: str | None
    detail: str | None
    prompt_tokens: int | None
    completion_tokens: int | None
    charge_microdollars: int | None
    basis: str | None


class RequestLog:
    """One line per request, kept in memory until the next flush; beyond LINES_KEPT_MAX lines are counted, not kept."""

    def __init__(self, write: Callable[[bytes], object], count_dropped: Callable[[int], object]) -> None:
        self._write = write
        self._count_dropped = count_dropped
        self._lines: list[bytes] = []

    def add(self, line: RequestLine | dict[str, object]) -> None:
        """Of its fields only `detail` may hold text from outside: it is redacted, the others are ids and numbers."""
        if len(self._lines) >= LINES_KEPT_MAX:
            self._count_dropped(1)
            return
        if isinstance(line, RequestLine):
            if line.detail:
                line = replace(line, detail=redact(line.detail))
        elif line.get("detail"):
            line = {**line, "detail": _redacted(line["detail"])}
        self._lines.append(encode_line(line))

    def flush(self) -> None:
        """Write what was kept; lines that cannot be written are counted as dropped. Raises OSError."""
        lines, self._lines = self._lines, []
        if not lines:
            return
        lines.append(b"")
        try:
            self._write(b"\n".join(lines))
        except OSError:
            self._count_dropped(len(lines) - 1)
            raise


def encode_line(fields: Mapping[str, object] | Struct) -> bytes:
    """One line of JSON, whatever the texts hold: control characters and line separators are escaped."""
    try:
        line = _encode(fields)
    except UnicodeEncodeError:  # a lone surrogate, from a file name for example
        line = json.dumps(msgspec.to_builtins(fields, enc_hook=_describe)).encode()
    if line.isascii() and b"\x7f" not in line:
        return line
    return _UNPRINTABLE.sub(lambda found: f"\\u{ord(found[0]):04x}", line.decode()).encode()


def _describe(value: object) -> str:
    return redact(str(value))


_encode: Final = msgspec.json.Encoder(enc_hook=_describe).encode


def _describe_exception(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Type and place of an exception, without message and local variables: both can hold other people's data."""
    error = event.pop("error", None)
    if isinstance(error, BaseException):
        event["error"] = type(error).__name__
        trace = error.__traceback__
        while trace and trace.tb_next:
            trace = trace.tb_next
        if trace:
            event["where"] = f"{trace.tb_frame.f_code.co_qualname}:{trace.tb_lineno}"
    elif error is not None:
        event["error"] = error
    return event


def _redact_event(_: Any, __: str, event: MutableMapping[str, Any]) -> dict[str, Any]:
    return {str(name): _redacted(value) for name, value in event.items()}


def _redacted(value: Any) -> Any:
    """Plain JSON values with every text in them redacted; anything else as its redacted text."""
    if isinstance(value, str):
        return redact(value)
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, bytes | bytearray):
        return redact(value.decode("latin-1"))
    if isinstance(value, Mapping):
        return {redact(str(name)): _redacted(one) for name, one in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_redacted(one) for one in value]
    return redact(str(value))


def _to_json(event: dict[str, Any], **_: Any) -> str:
    return encode_line(event).decode()


class _ToStructlog(logging.Handler):
    """Lines of libraries that use `logging`, in our form."""

    def emit(self, record: logging.LogRecord) -> None:
        fields: dict[str, Any] = {"logger": record.name, "detail": record.getMessage()}
        if record.exc_info and record.exc_info[1]:
            fields["error"] = record.exc_info[1]
        method = "error" if record.levelno >= logging.ERROR else "warning"
        getattr(structlog.get_logger(), method)("library", **fields)
