"""Once: a change of leases that is made once, even when the acknowledgement of its commit was lost.

`Database.write` then runs the transaction again, and leasing or giving back twice would lose or invent money. So a
change leaves a row in `lease_changes`, committed with it. A later attempt first tries to leave that row: when it is
there, an earlier attempt was committed, and its answer, which was kept here, is given once more. The insert waits for
an attempt whose commit is still under way.

A row is of no use once its change is answered; the worker's next report removes it, or its retirement. No clock is
asked: a wrong one must not cost money (guarantees M11).
"""

from collections.abc import Callable, Iterable
from typing import Final, Generic, TypeVar

from sqlalchemy import Connection, bindparam, delete

from tollway.ids import new_id
from tollway.storage.sql.insertion import insert_missing
from tollway.storage.sql.packed import among, pack
from tollway.storage.sql.tables import lease_changes

T = TypeVar("T")

_FORGET: Final = delete(lease_changes).where(among(lease_changes.c.id, "ids"))
_FORGET_ALL: Final = delete(lease_changes).where(lease_changes.c.worker_id == bindparam("worker"))


class Once(Generic[T]):
    """One change. `is_change` tells answers of transactions that changed something from those that did not."""

    def __init__(self, worker_id: str, is_change: Callable[[T], bool] = lambda _: True) -> None:
        self.id = new_id()
        self.may_have_row = False
        self._row = {"id": self.id, "worker_id": worker_id}
        self._is_change = is_change
        self._answers: list[T] = []

    def run(self, connection: Connection, work: Callable[[], T]) -> T:
        """The answer of `work`, or of the earlier attempt that was committed."""
        is_first = not self._answers
        if not is_first and not self._leave_row(connection):
            return self._answers[-1]
        answer = work()
        if is_first and self._is_change(answer):
            self._leave_row(connection)
        self._answers.append(answer)
        return answer

    def _leave_row(self, connection: Connection) -> bool:
        self.may_have_row = True
        return insert_missing(connection, lease_changes, self._row)


def forget(connection: Connection, ids: Iterable[str]) -> None:
    """Remove the rows of changes that are answered."""
    connection.execute(_FORGET, {"ids": pack(ids)})


def forget_all(connection: Connection, worker_id: str) -> None:
    """Remove whatever rows a worker left that has ended."""
    connection.execute(_FORGET_ALL, {"worker": worker_id})
