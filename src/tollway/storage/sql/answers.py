"""SqlAnswers: answers to management requests with an `Idempotency-Key`."""

from datetime import datetime
from typing import Final

from sqlalchemy import Connection, bindparam, delete, select, update

from tollway.admin.answers import Asked, First
from tollway.billing.store import StoreUnavailableError
from tollway.identity.sealing import Sealed
from tollway.storage.sql.database import Database
from tollway.storage.sql.insertion import insert_missing
from tollway.storage.sql.management_tables import stored_answers

_TRIES_MAX: Final = 10  # a claim that was in the way may be freed before we can see whose it is
_IS_THIS: Final = (
    stored_answers.c.scope == bindparam("of_scope"),
    stored_answers.c.key_hash == bindparam("of_key"),
)
_FIRST: Final = select(
    stored_answers.c.claim, stored_answers.c.body_hash, stored_answers.c.status, stored_answers.c.answer
).where(*_IS_THIS)
_OURS: Final = (*_IS_THIS, stored_answers.c.claim == bindparam("ours"))
_KEEP: Final = update(stored_answers).where(*_OURS).values(status=bindparam("new_status"), answer=bindparam("sealed"))
_FREE: Final = delete(stored_answers).where(*_OURS)
_FORGET_OLD: Final = delete(stored_answers).where(stored_answers.c.created_at < bindparam("before"))


class SqlAnswers:
    """Implements AnswerStore."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def claim(self, asked: Asked, before: datetime) -> First | tuple[int, Sealed]:
        row = {
            "scope": asked.scope,
            "key_hash": asked.key_hash,
            "user_id": asked.user_id,
            "claim": asked.claim,
            "body_hash": asked.body_hash,
            "created_at": asked.now,
        }

        def work(connection: Connection) -> First | tuple[int, Sealed]:
            connection.execute(_FORGET_OLD, {"before": before})
            for _ in range(_TRIES_MAX):
                if insert_missing(connection, stored_answers, row):
                    return First.OURS
                first = connection.execute(_FIRST, _which(asked)).first()
                if first is not None:
                    return _told(first.claim, first.body_hash, first.status, first.answer, asked)
            raise StoreUnavailableError("the key is claimed and freed again and again")

        return await self._database.write(work)

    async def keep(self, asked: Asked, status: int, sealed: Sealed) -> None:
        values = {**_which(asked), "ours": asked.claim, "new_status": status, "sealed": sealed}
        await self._database.write(lambda connection: connection.execute(_KEEP, values))

    async def free(self, asked: Asked) -> None:
        values = {**_which(asked), "ours": asked.claim}
        await self._database.write(lambda connection: connection.execute(_FREE, values))


def _which(asked: Asked) -> dict[str, str]:
    return {"of_scope": asked.scope, "of_key": asked.key_hash}


def _told(
    claim: str, body_hash: str, status: int | None, answer: Sealed | None, asked: Asked
) -> First | tuple[int, Sealed]:
    if claim == asked.claim:  # an earlier try of ours
        return First.OURS
    if body_hash != asked.body_hash:
        return First.OTHER_BODY
    return First.RUNNING if status is None or answer is None else (status, answer)
