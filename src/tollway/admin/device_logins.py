"""Logins of devices: a program shows its user a short code, the user says yes where they are signed in, and the program
gets a key, once. Codes live ten minutes and are stored as keyed hashes; who asks is kept until it is decided.
Source: catalog-and-clients B.12.
"""

import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from hmac import digest
from typing import Final, Protocol

from tollway.admin.device_requesters import Requester, seal_requester, unseal_requester
from tollway.errors import Code, Problem
from tollway.identity.keys import RANDOM_CHARS, hash_key, last_four, make_key
from tollway.identity.sealing import FreshBytes
from tollway.identity.store import KeyRow
from tollway.ids import new_id, random_text

ALPHABET: Final = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789"
LIFE: Final = timedelta(minutes=10)
PENDING_MAX: Final = 5  # of one address
LABEL: Final = "device login"
GONE: Final = 410
_OVER: Final = "This code is not waiting any more"
_CODE: Final = re.compile(rf"[{ALPHABET}]{{4}}-[{ALPHABET}]{{4}}")


class LoginState(StrEnum):
    """USED: the key was handed out."""

    PENDING = "pending"
    APPROVED = "approved"
    DENIED = "denied"
    USED = "used"


@dataclass(frozen=True, slots=True)
class HandedOut:
    """The key of a device, once."""

    key: str
    user_id: str
    email: str

    def __repr__(self) -> str:
        return f"HandedOut(key=***, user_id={self.user_id!r})"


@dataclass(frozen=True, slots=True)
class NewLogin:
    """A login as it begins. `requester` is sealed."""

    code_hash: str
    address_hash: str
    requester: str
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class StoredLogin:
    """A login as it is found, which may have expired. `requester` is sealed; None: not kept, or not any more."""

    state: LoginState
    requester: str | None
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class WaitingLogin:
    """What a person decides about. `expires_in_s`: whole seconds."""

    requester: Requester
    expires_in_s: int


class DeviceStore(Protocol):
    """Raises StoreUnavailableError when the database cannot answer."""

    async def add_login(self, login: NewLogin, now: datetime) -> bool:
        """False when PENDING_MAX of this address are pending. What has expired is forgotten."""
        ...

    async def find_login(self, code_hash: str) -> StoredLogin | None:
        """None: unknown, or forgotten since it expired."""
        ...

    async def login_state(self, code_hash: str, now: datetime) -> LoginState | None:
        """None: unknown or expired."""
        ...

    async def decide_login(self, code_hash: str, user_id: str, state: LoginState, now: datetime) -> bool:
        """Whether it was pending. Who asked is forgotten."""
        ...

    async def hand_out(self, code_hash: str, key: KeyRow, now: datetime) -> tuple[str, str] | None:
        """Store `key` for the user who approved, unless it was handed out or the user is blocked: their id and address.

        `key.user_id` is empty: whose it is stands in the row.
        """
        ...

    async def forget_expired(self, now: datetime) -> None: ...


@dataclass(frozen=True, slots=True)
class DeviceLogins:
    store: DeviceStore
    pepper: bytes
    fresh: FreshBytes

    async def begin(self, requester: Requester, now: datetime) -> str | Problem:
        """A fresh code. Refuses: too_many_requests."""
        letters = random_text(8, ALPHABET)
        code = f"{letters[:4]}-{letters[4:]}"
        sealed = seal_requester(requester, code, self.pepper, self.fresh)
        login = NewLogin(self._hash(code), self._hash(f"address:{requester.address}"), sealed, now + LIFE)
        if not await self.store.add_login(login, now):
            return Problem(Code.TOO_MANY_REQUESTS, "device logins", retry_after_s=int(LIFE.total_seconds()))
        return code

    async def poll(self, code: str, now: datetime) -> HandedOut | LoginState | None:
        """The key if the user has said yes; None: expired, used or unknown."""
        state = await self.store.login_state(self._hash(code), now) if _CODE.fullmatch(code) else None
        if state is not LoginState.APPROVED:
            return None if state is LoginState.USED else state
        key = make_key(random_text(RANDOM_CHARS))
        row = KeyRow(new_id(), hash_key(key, self.pepper), "", None, LABEL, last_four(key), None, None, None, now)
        who = await self.store.hand_out(self._hash(code), row, now)
        return None if who is None else HandedOut(key, *who)

    async def look_at(self, code: str, now: datetime) -> WaitingLogin | Problem:
        """Who asks. Refuses: not_found (unknown or malformed; with 410: expired), conflict (decided already)."""
        found = await self.store.find_login(self._hash(code)) if _CODE.fullmatch(code) else None
        if found is None:
            return Problem(Code.NOT_FOUND, shown=_OVER)
        if found.expires_at <= now:
            return Problem(Code.NOT_FOUND, status=GONE, shown=_OVER)
        if found.state is not LoginState.PENDING:
            return Problem(Code.CONFLICT, shown=_OVER)
        requester = unseal_requester(found.requester, code, self.pepper)
        return WaitingLogin(requester, (found.expires_at - now) // timedelta(seconds=1))

    async def decide(self, code: str, user_id: str, now: datetime, *, approved: bool) -> Problem | None:
        """Refuses: bad_request (malformed), not_found (unknown or expired), conflict (decided already)."""
        if not _CODE.fullmatch(code):
            return Problem(Code.BAD_REQUEST, shown="code: is not a code")
        state = LoginState.APPROVED if approved else LoginState.DENIED
        if await self.store.decide_login(self._hash(code), user_id, state, now):
            return None
        known = await self.store.login_state(self._hash(code), now)
        return Problem(Code.NOT_FOUND if known is None else Code.CONFLICT, shown=_OVER)

    def _hash(self, text: str) -> str:
        return digest(self.pepper, f"device login:{text}".encode(), "sha256").hex()
