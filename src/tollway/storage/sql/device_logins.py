"""SqlDeviceLogins: rows of device_logins."""

from datetime import datetime
from typing import Final

from sqlalchemy import Connection, bindparam, delete, func, select, update

from tollway.admin.device_logins import PENDING_MAX, LoginState, NewLogin, StoredLogin
from tollway.identity.store import KeyRow
from tollway.storage.sql.admin.rows import SqlSubject
from tollway.storage.sql.identity_changes import note_change
from tollway.storage.sql.insertion import insert_missing
from tollway.storage.sql.management_tables import device_logins
from tollway.storage.sql.tables import api_keys, users

_IS_THIS: Final = device_logins.c.code_hash == bindparam("code")
_IS_ALIVE: Final = device_logins.c.expires_at > bindparam("now")
_FORGET: Final = delete(device_logins).where(device_logins.c.expires_at <= bindparam("now"))
_PENDING: Final = (
    select(func.count())
    .select_from(device_logins)
    .where(
        device_logins.c.address_hash == bindparam("address"),
        device_logins.c.status == LoginState.PENDING.value,
        device_logins.c.code_hash != bindparam("code"),
        _IS_ALIVE,
    )
)
_STATE: Final = select(device_logins.c.status).where(_IS_THIS, _IS_ALIVE)
_FIND: Final = select(device_logins.c.status, device_logins.c.requester, device_logins.c.expires_at).where(_IS_THIS)
_DECIDE: Final = (
    update(device_logins)
    .where(_IS_THIS, _IS_ALIVE, device_logins.c.status == LoginState.PENDING.value)
    .values(status=bindparam("decided"), user_id=bindparam("by"), requester=None)
)
_TAKE: Final = (
    update(device_logins)
    .where(_IS_THIS, _IS_ALIVE, device_logins.c.status == LoginState.APPROVED.value)
    .values(status=LoginState.USED.value)
    .returning(device_logins.c.user_id)
)
_USER: Final = select(users.c.id, users.c.email).where(users.c.id == bindparam("who"), users.c.blocked_reason.is_(None))


class SqlDeviceLogins(SqlSubject):
    """Implements DeviceStore."""

    async def add_login(self, login: NewLogin, now: datetime) -> bool:
        row = {
            "code_hash": login.code_hash,
            "status": LoginState.PENDING.value,
            "address_hash": login.address_hash,
            "requester": login.requester,
            "expires_at": login.expires_at,
        }
        counted = {"address": login.address_hash, "code": login.code_hash, "now": now}

        def work(connection: Connection) -> bool:
            connection.execute(_FORGET, {"now": now})
            if connection.execute(_PENDING, counted).scalar_one() >= PENDING_MAX:
                return False
            insert_missing(connection, device_logins, row)
            return True

        return await self._database.write(work)

    async def find_login(self, code_hash: str) -> StoredLogin | None:
        def work(connection: Connection) -> StoredLogin | None:
            row = connection.execute(_FIND, {"code": code_hash}).first()
            return None if row is None else StoredLogin(LoginState(row.status), row.requester, row.expires_at)

        return await self._database.read(work)

    async def login_state(self, code_hash: str, now: datetime) -> LoginState | None:
        def work(connection: Connection) -> LoginState | None:
            status = connection.execute(_STATE, {"code": code_hash, "now": now}).scalar()
            return None if status is None else LoginState(status)

        return await self._database.read(work)

    async def decide_login(self, code_hash: str, user_id: str, state: LoginState, now: datetime) -> bool:
        values = {"code": code_hash, "now": now, "decided": state.value, "by": user_id}
        tries = 0

        def work(connection: Connection) -> bool:
            nonlocal tries
            tries += 1
            if connection.execute(_DECIDE, values).rowcount == 1:
                return True
            found = connection.execute(_STATE, {"code": code_hash, "now": now}).scalar()
            return tries > 1 and found == state.value  # an earlier try of ours

        return await self._database.write(work)

    async def hand_out(self, code_hash: str, key: KeyRow, now: datetime) -> tuple[str, str] | None:
        row = {
            "id": key.id,
            "secret_hash": key.secret_hash,
            "label": key.label,
            "last_four": key.last_four,
            "created_at": key.created_at,
        }
        given: list[tuple[str, str]] = []  # by tries of ours whose commit may have been made

        def work(connection: Connection) -> tuple[str, str] | None:
            user_id = connection.execute(_TAKE, {"code": code_hash, "now": now}).scalar()
            if user_id is None:
                return given[-1] if given else None
            user = connection.execute(_USER, {"who": user_id}).first()
            if user is None:
                return None
            insert_missing(connection, api_keys, {**row, "user_id": user.id})
            note_change(connection, user.id)
            given.append((str(user.id), str(user.email)))
            return given[-1]

        return await self._database.write(work)

    async def forget_expired(self, now: datetime) -> None:
        await self._database.write(lambda connection: connection.execute(_FORGET, {"now": now}))
