"""SqlFreeUse: the rows of `free_model_usage`, written by whoever comes first for all who came meanwhile.

A use is stored before its request goes upstream (request-path 5.4.2), so its request waits. One transaction is under
way at a time and takes every row that has gathered: a flood of free requests costs the paid ones no more than one of
the database's connections. The coroutine of a waiting request does the writing, so no task has to be kept for it.
"""

import asyncio
from typing import Final

from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError

from tollway.billing.store import StoreUnavailableError
from tollway.limits.store import FreeUse
from tollway.storage.sql.database import Database
from tollway.storage.sql.insertion import insert_all_missing
from tollway.storage.sql.tables import free_model_usage

WAITING_MAX: Final = 1_000

# What a waiter is told: its row is stored, it is its turn to write, or why there is no row.
_Told = bool | StoreUnavailableError
_STORED: Final = True
_YOUR_TURN: Final = False


class SqlFreeUse:
    """Implements FreeUseLog."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._waiting: list[tuple[FreeUse, asyncio.Future[_Told]]] = []
        self._is_writing = False

    async def add(self, use: FreeUse) -> None:
        if len(self._waiting) >= WAITING_MAX:
            raise StoreUnavailableError("too many uses wait to be stored")
        told: asyncio.Future[_Told] = asyncio.get_running_loop().create_future()
        self._waiting.append((use, told))
        answer = await self._hear(told) if self._is_writing else _YOUR_TURN
        if answer is _YOUR_TURN:
            answer = await self._write()
        if isinstance(answer, StoreUnavailableError):
            raise answer

    async def _hear(self, told: asyncio.Future[_Told]) -> _Told:
        try:
            return await told
        except asyncio.CancelledError:
            if not told.cancelled() and told.done() and told.result() is _YOUR_TURN:
                self._pass_on()
            raise

    async def _write(self) -> _Told:
        """Store what has gathered, tell those who wait for it, and let the next one write."""
        self._is_writing = True
        batch, self._waiting = self._waiting, []
        uses = [use for use, _ in batch]
        answer: _Told = StoreUnavailableError("whoever wrote it was interrupted")
        try:
            await self._database.write(lambda connection: _insert(connection, uses))
            answer = _STORED
        except StoreUnavailableError as error:
            answer = error
        except SQLAlchemyError as error:  # a bug or a wrong schema; either way no reason to refuse the requests
            answer = StoreUnavailableError(f"the database refused it ({type(error).__name__})")
        finally:
            for _, told in batch:
                if not told.done():
                    told.set_result(answer)
            self._pass_on()
        return answer

    def _pass_on(self) -> None:
        self._is_writing = False
        for _, told in self._waiting:
            if not told.done():
                self._is_writing = True
                told.set_result(_YOUR_TURN)
                return


def _insert(connection: Connection, uses: list[FreeUse]) -> None:
    """A transaction may be run twice: a row that is there already is left alone."""
    rows = [
        {
            "id": use.request_id,
            "address_hash": use.address_hash,
            "model": use.model,
            "user_id": use.user_id,
            "created_at": use.used_at,
        }
        for use in uses
    ]
    insert_all_missing(connection, free_model_usage, rows)
