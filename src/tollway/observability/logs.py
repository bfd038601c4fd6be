"""Logs: one JSON object per line on standard error, secrets masked, control characters escaped.

structlog carries rare events. The one line per request goes through `RequestLog`, a buffer flushed twice a second,
because a write per request would cost more than the request's whole bookkeeping (measurements §5).
"""

import logging
import sys
from collections.abc import Callable, MutableMapping
from typing import Any, Final, TextIO

import msgspec
import structlog

from tollway.observability.redact import redact

_LEVELS: Final = {"debug": 10, "info": 20, "warning": 30, "error": 40}
LINES_KEPT_MAX: Final = 20_000


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


def get_log() -> Any:
    """A logger: `log.warning("event", field=value)`."""
    return structlog.get_logger()


class RequestLog:
    """One line per request, kept in memory until the next flush; beyond LINES_KEPT_MAX lines are counted, not kept."""

    def __init__(self, write: Callable[[bytes], object]) -> None:
        self._write = write
        self._lines: list[bytes] = []
        self.dropped = 0

    def add(self, fields: dict[str, object]) -> None:
        if len(self._lines) >= LINES_KEPT_MAX:
            self.dropped += 1
            return
        self._lines.append(msgspec.json.encode(fields))

    def flush(self) -> None:
        lines, self._lines = self._lines, []
        if lines:
            lines.append(b"")
            self._write(b"\n".join(lines))


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
    return {name: redact(value) if isinstance(value, str) else value for name, value in event.items()}


def _to_json(event: dict[str, Any], **_: Any) -> str:
    return msgspec.json.encode(event, enc_hook=str).decode()


class _ToStructlog(logging.Handler):
    """Lines of libraries that use `logging`, in our form."""

    def emit(self, record: logging.LogRecord) -> None:
        fields: dict[str, Any] = {"logger": record.name, "detail": record.getMessage()}
        if record.exc_info and record.exc_info[1]:
            fields["error"] = record.exc_info[1]
        method = "error" if record.levelno >= logging.ERROR else "warning"
        getattr(structlog.get_logger(), method)("library", **fields)
