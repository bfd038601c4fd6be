"""Once: a change of leases that is made once, even when the acknowledgement of its commit was lost.

`Database.write` then runs the transaction again, and leasing or giving back twice would lose or invent money. So a
change leaves a row in `lease_changes`, committed with it. A later attempt first tries to leave that row: when it is
there, an earlier attempt was committed, and its answer, which was kept here, is given once more. The insert waits for
an attempt whose commit is still under way. Rows go after some minutes, when no attempt can follow any more.
"""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final, Generic, TypeVar

from sqlalchemy import Connection, bindparam, delete

from tollway.ids import new_id
from tollway.storage.sql.insertion import insert_missing
from tollway.storage.sql.tables import lease_changes

T = TypeVar("T")

KEPT: Final = timedelta(minutes=10)  # far longer than `Database.write` goes on trying

_FORGET: Final = delete(lease_changes).where(lease_changes.c.made_at < bindparam("before"))


class Once(Generic[T]):
    """One change. `is_change` tells answers of transactions that changed something from those that did not."""

    def __init__(self, now: datetime, is_change: Callable[[T], bool] = lambda _: True) -> None:
        self._row = {"made_at": now, "id": new_id()}
        self._is_change = is_change
        self._answers: list[T] = []

    def run(self, connection: Connection, work: Callable[[], T]) -> T:
        """The answer of `work`, or of the earlier attempt that was committed."""
        is_first = not self._answers
        if not is_first and not insert_missing(connection, lease_changes, self._row):
            return self._answers[-1]
        answer = work()
        if is_first and self._is_change(answer):
            insert_missing(connection, lease_changes, self._row)
        self._answers.append(answer)
        return answer


def forget(connection: Connection, now: datetime) -> None:
    """Remove the rows of changes that nobody will try again."""
    connection.execute(_FORGET, {"before": now - KEPT})
