import sqlite3

import pytest
from sqlalchemy.exc import DataError, IntegrityError, InvalidRequestError, OperationalError, ProgrammingError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from tollway.storage.sql.failures import Failure, classify


class _FromServer(Exception):  # noqa: N818  (stands in for a driver's error)
    def __init__(self, sqlstate: str | None) -> None:
        super().__init__()
        self.sqlstate = sqlstate


@pytest.mark.parametrize("state", ["40001", "40P01", "57P01", "57P02", "57P03", None])
def test_what_may_pass_is_tried_again(state: str | None) -> None:
    assert classify(OperationalError("", {}, _FromServer(state))) is Failure.RETRY


@pytest.mark.parametrize("state", ["57014", "55P03", "53300", "53100", "08006", "28P01", "25006", "58030"])
def test_what_will_not_pass_soon_is_unavailable(state: str) -> None:
    assert classify(OperationalError("", {}, _FromServer(state))) is Failure.UNAVAILABLE


@pytest.mark.parametrize(
    "error",
    [
        IntegrityError("", {}, _FromServer("23505")),
        DataError("", {}, _FromServer("22003")),
        ProgrammingError("", {}, _FromServer("42P01")),
        DataError("", {}, _FromServer(None)),  # refused by the driver before it was sent
        InvalidRequestError(),
    ],
)
def test_the_rest_are_bugs(error: OperationalError) -> None:
    assert classify(error) is Failure.BUG


def test_a_connection_that_broke_is_tried_again_whatever_the_error() -> None:
    broken = IntegrityError("", {}, _FromServer("XX000"))
    broken.connection_invalidated = True
    assert classify(broken) is Failure.RETRY


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        (sqlite3.SQLITE_BUSY, Failure.RETRY),
        (sqlite3.SQLITE_BUSY_SNAPSHOT, Failure.RETRY),
        (sqlite3.SQLITE_LOCKED, Failure.RETRY),
        (sqlite3.SQLITE_FULL, Failure.UNAVAILABLE),
        (sqlite3.SQLITE_IOERR_FSYNC, Failure.UNAVAILABLE),
        (sqlite3.SQLITE_CANTOPEN, Failure.UNAVAILABLE),
        (sqlite3.SQLITE_NOTADB, Failure.UNAVAILABLE),
        (sqlite3.SQLITE_ERROR, Failure.BUG),
        (sqlite3.SQLITE_CONSTRAINT_UNIQUE, Failure.BUG),
    ],
)
def test_sqlite_tells_by_its_result_code(code: int, expected: Failure) -> None:
    error = sqlite3.OperationalError()
    error.sqlite_errorcode = code
    assert classify(OperationalError("", {}, error)) is expected


def test_a_pool_that_is_busy_is_unavailable() -> None:
    assert classify(PoolTimeoutError()) is Failure.UNAVAILABLE
