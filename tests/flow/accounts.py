"""People with keys and money for flow tests, made through the same use cases as the command line."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import TypeVar

from flow.journals import wait_until_settled
from tollway.admin.credits import NewCredit, Owner, add_credit, show_balance
from tollway.admin.keys import NewKey, create_key
from tollway.admin.users import NewUser, create_user
from tollway.errors import Problem
from tollway.settings import Settings, load
from tollway.storage.sql.admin.store import SqlAdmin
from tollway.storage.sql.books import Difference, verify_books
from tollway.storage.sql.database import Database, open_database

T = TypeVar("T")
_numbers = count(1)


@dataclass(frozen=True, slots=True)
class Account:
    """A user with one key."""

    user_id: str
    email: str
    key: str
    key_id: str

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.key}"}


class Accounts:
    """Works on the database of a running gateway, from outside it."""

    def __init__(self, config: Path) -> None:
        self._settings: Settings = load(config, environ={})

    def create(self, microdollars: int = 10_000_000, key_limit: int | None = None) -> Account:
        """A user with that much credit and a fresh key."""

        async def work(store: SqlAdmin, _: Database) -> Account:
            now = datetime.now(UTC)
            user = _done(await create_user(store, NewUser(f"user{next(_numbers)}-{id(self)}@example.com"), now))
            order = NewKey(user.id, label="test", limit_microdollars=key_limit)
            made = _done(await create_key(store, order, self._settings.pepper(), now))
            if microdollars:
                _done(await add_credit(store, NewCredit(Owner(user=user.id), microdollars, is_free=True), now))
            return Account(user.id, user.email, made.key, made.api_key.id)

        return self.run(work)

    def balance(self, account: Account) -> int:
        """Credits minus charges, in micro-dollars; holds do not count."""

        async def work(store: SqlAdmin, _: Database) -> int:
            return _done(await show_balance(store, Owner(user=account.user_id))).balance_microdollars

        return self.run(work)

    def spent(self, account: Account) -> int:
        """Micro-dollars so far."""

        async def work(store: SqlAdmin, _: Database) -> int:
            return _done(await show_balance(store, Owner(user=account.user_id))).spent_microdollars

        return self.run(work)

    def differences(self) -> tuple[Difference, ...]:
        """What does not add up in the books; empty when all is well."""

        async def work(_: SqlAdmin, database: Database) -> tuple[Difference, ...]:
            return tuple(await verify_books(database))

        return self.run(work)

    @property
    def state_dir(self) -> Path:
        return self._settings.state_dir

    def run(self, work: Callable[[SqlAdmin, Database], Awaitable[T]]) -> T:
        """Once everything that has ended is settled."""
        wait_until_settled(self._settings.state_dir)

        async def with_database() -> T:
            database = open_database(self._settings.database_url, pool_size=2)
            try:
                return await work(SqlAdmin(database), database)
            finally:
                await database.close()

        return asyncio.run(with_database())


def _done(result: T | Problem) -> T:
    assert not isinstance(result, Problem), result
    return result
