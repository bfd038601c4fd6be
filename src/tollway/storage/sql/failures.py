"""Which database errors are worth another try, which mean "not now", and which are bugs.

The drivers are told apart by what their errors carry (`sqlstate`, `sqlite_errorcode`), so that neither is imported.
"""

from enum import Enum
from typing import Final

from sqlalchemy.exc import DBAPIError, OperationalError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError


class Failure(Enum):
    RETRY = "retry"  # the transaction may simply be run again
    UNAVAILABLE = "unavailable"  # waiting a little will not help
    BUG = "bug"


_RETRIED_STATES: Final = {
    "40001",  # serialization failure
    "40P01",  # deadlock
    "57P01",  # the administrator ended the connection
    "57P02",  # the server crashed
    "57P03",  # the server is starting
}
_UNAVAILABLE_STATES: Final = {
    "57014",  # statement time-out
    "55P03",  # lock time-out
    "25006",  # read-only server: a replica, or a failover under way
}
_UNAVAILABLE_CLASSES: Final = {"08", "28", "53", "57", "58"}  # connection, login, resources, operator, system

# SQLite's primary result codes, the low byte of an extended code.
_BUSY: Final = {5, 6}  # busy, locked
_SQLITE_UNAVAILABLE: Final = {8, 10, 11, 13, 14, 26}  # read-only, I/O, corrupt, full, cannot open, not a database


def classify(error: SQLAlchemyError) -> Failure:
    """What to do about an error raised by a transaction."""
    if isinstance(error, PoolTimeoutError):
        return Failure.UNAVAILABLE
    if not isinstance(error, DBAPIError):
        return Failure.BUG
    code = getattr(error.orig, "sqlite_errorcode", None)
    if isinstance(code, int):
        return _classify_sqlite(code & 0xFF)
    return _classify_postgres(error)


def _classify_sqlite(code: int) -> Failure:
    if code in _BUSY:
        return Failure.RETRY
    return Failure.UNAVAILABLE if code in _SQLITE_UNAVAILABLE else Failure.BUG


def _classify_postgres(error: DBAPIError) -> Failure:
    state = getattr(error.orig, "sqlstate", None)
    if state in _RETRIED_STATES or error.connection_invalidated:
        return Failure.RETRY
    if state is None:  # no answer from the server at all: refused, reset, timed out
        return Failure.RETRY if isinstance(error, OperationalError) else Failure.BUG
    if state in _UNAVAILABLE_STATES or state[:2] in _UNAVAILABLE_CLASSES:
        return Failure.UNAVAILABLE
    return Failure.BUG
