"""Rows of users, as administration reads and changes them."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, Update, bindparam, or_, select, update
from sqlalchemy.exc import IntegrityError

from tollway.admin.records import SOFT_DELETED, Page, User, UserChange
from tollway.identity.anonymous import is_anonymous_id
from tollway.storage.sql.admin.rows import SqlSubject, newest_first
from tollway.storage.sql.identity_changes import note_change
from tollway.storage.sql.insertion import insert_missing
from tollway.storage.sql.tables import users

_COLUMNS: Final = (
    users.c.id,
    users.c.email,
    users.c.name,
    users.c.blocked_reason,
    users.c.created_at,
    users.c.is_admin,
    users.c.is_bot,
)
_BY_ID: Final = select(*_COLUMNS).where(users.c.id == bindparam("user_id"))
_FIND: Final = (
    select(*_COLUMNS)
    .where(or_(users.c.id == bindparam("id"), users.c.email == bindparam("email")))
    .order_by((users.c.id == bindparam("id")).desc())
)
# Nobody who was deleted in this moment gets anything back, an e-mail address least of all.
_LIVING: Final = update(users).where(
    users.c.id == bindparam("user_id"),
    users.c.blocked_reason.is_(None) | ~users.c.blocked_reason.startswith(SOFT_DELETED),
)
_BLOCK: Final = _LIVING.values(blocked_reason=bindparam("reason"), updated_at=bindparam("now"))
_ADMIN: Final = _LIVING.values(is_admin=bindparam("new"), updated_at=bindparam("now"))
_PEPPER: Final = _LIVING.values(pepper=bindparam("new"), updated_at=bindparam("now"))


class SqlUsers(SqlSubject):
    async def add_user(self, user: User, pepper: str) -> bool:
        """Whoever names the id: an account that looks like nobody's is a bug, and ValueError (response-path 12.6)."""
        if is_anonymous_id(user.id):
            raise ValueError("no account may have an id like those of callers without one")
        row = {
            "id": user.id,
            "email": user.email,
            "name": user.name,
            "pepper": pepper,
            "blocked_reason": user.blocked_reason,
            "is_admin": user.is_admin,
            "is_bot": user.is_bot,
            "created_at": user.created_at,
            "updated_at": user.created_at,
        }

        def work(connection: Connection) -> bool:
            if insert_missing(connection, users, row):
                note_change(connection, user.id)
                return True
            return connection.execute(_BY_ID, {"user_id": user.id}).first() is not None  # an earlier try of ours

        return await self._database.write(work)

    async def find_user(self, id_or_email: str) -> User | None:
        values = {"id": id_or_email, "email": id_or_email.lower()}

        def work(connection: Connection) -> User | None:
            row = connection.execute(_FIND, values).first()
            return None if row is None else _user(row)

        return await self._database.read(work)

    async def list_users(self, page: Page) -> tuple[User, ...]:
        statement = newest_first(select(*_COLUMNS), users, page)
        return await self._database.read(
            lambda connection: tuple(_user(row) for row in connection.execute(statement).all())
        )

    async def change_user(self, user_id: str, change: UserChange, now: datetime) -> User | None:
        named = {"email": change.email, "name": change.name}
        values = {name: value for name, value in named.items() if value is not None}

        def work(connection: Connection) -> User | None:
            connection.execute(_LIVING.values({**values, "updated_at": now}), {"user_id": user_id})
            note_change(connection, user_id)
            row = connection.execute(_BY_ID, {"user_id": user_id}).first()
            return None if row is None else _user(row)

        try:
            return await self._database.write(work)
        except IntegrityError:
            return None

    async def set_admin(self, user_id: str, is_admin: bool, now: datetime) -> User | None:
        return await self._change_user(_ADMIN, user_id, {"new": is_admin, "now": now})

    async def set_blocked(self, user_id: str, reason: str | None, now: datetime) -> User | None:
        return await self._change_user(_BLOCK, user_id, {"reason": reason, "now": now})

    async def set_pepper(self, user_id: str, pepper: str, now: datetime) -> User | None:
        return await self._change_user(_PEPPER, user_id, {"new": pepper, "now": now})

    async def _change_user(self, statement: Update, user_id: str, values: Mapping[str, Any]) -> User | None:
        def work(connection: Connection) -> User | None:
            connection.execute(statement, {**values, "user_id": user_id})
            note_change(connection, user_id)
            row = connection.execute(_BY_ID, {"user_id": user_id}).first()
            return None if row is None else _user(row)

        return await self._database.write(work)


def _user(row: Sequence[Any]) -> User:
    return User(*row)
