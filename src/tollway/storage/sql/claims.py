"""SqlClaims: Idempotency-Key of completions. A key is stored hashed, because callers put anything into it."""

from collections.abc import Callable
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Final

from sqlalchemy import Connection, bindparam, delete, select

from tollway.billing.store import StoreUnavailableError
from tollway.clock import utc_now
from tollway.storage.sql.database import Database
from tollway.storage.sql.insertion import insert_missing
from tollway.storage.sql.tables import idempotency_keys

KEPT: Final = timedelta(hours=24)
_TRIES_MAX: Final = 10  # a claim that was in the way may be freed before we can see whose it is

_FIRST: Final = select(idempotency_keys.c.request_id).where(
    idempotency_keys.c.scope == bindparam("scope"), idempotency_keys.c.key_hash == bindparam("key_hash")
)
_FORGET_OLD: Final = delete(idempotency_keys).where(idempotency_keys.c.created_at < bindparam("before"))
_FREE: Final = delete(idempotency_keys).where(idempotency_keys.c.request_id == bindparam("request_id"))


class SqlClaims:
    """Implements Claims."""

    def __init__(self, database: Database, now: Callable[[], datetime] = utc_now) -> None:
        self._database = database
        self._now = now

    async def claim(self, scope: str, key: str, request_id: str) -> str:
        now = self._now()
        names = {"scope": scope, "key_hash": sha256(key.encode()).hexdigest()}
        row = {**names, "request_id": request_id, "created_at": now}

        def work(connection: Connection) -> str:
            connection.execute(_FORGET_OLD, {"before": now - KEPT})
            for _ in range(_TRIES_MAX):
                if insert_missing(connection, idempotency_keys, row):
                    return request_id
                first = connection.execute(_FIRST, names).scalar()
                if first is not None:
                    return str(first)
            raise StoreUnavailableError("the key is claimed and freed again and again")

        return await self._database.write(work)

    async def free(self, request_id: str) -> None:
        await self._database.write(lambda connection: connection.execute(_FREE, {"request_id": request_id}))
