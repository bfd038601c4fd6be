"""A POST that is repeated with its `Idempotency-Key` is done once, and answered alike each time (guarantees M10).

The answer may show a secret, so it is kept sealed. A first request that never ended keeps its key taken for a day:
whether it did what it should nobody knows, and doing it twice is worse than asking a person.
"""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import Enum
from hashlib import sha256
from typing import Final, Protocol

from tollway.errors import Code, Problem
from tollway.identity.owned import Owner, OwnerKind, secret_place
from tollway.identity.sealing import FreshBytes, Place, Sealed, SealError, SealingKeys, seal, unseal
from tollway.ids import new_id

KEPT: Final = timedelta(hours=24)
KEY_CHARS_MAX: Final = 255


@dataclass(frozen=True, slots=True)
class Asked:
    """One request under a key: by whom, for what (`scope`), with which body."""

    scope: str
    key_hash: str
    user_id: str
    body_hash: str
    claim: str
    now: datetime

    @property
    def place(self) -> Place:
        return secret_place("stored_answers", "answer", self.key_hash, Owner(OwnerKind.USER, self.user_id), self.scope)


@dataclass(frozen=True, slots=True)
class Answer:
    """`text` may have a secret in it."""

    status: int
    text: str = field(repr=False)


class First(Enum):
    """What became of the first request under a key, where there is no answer to give once more."""

    OURS = "ours"
    RUNNING = "running"
    OTHER_BODY = "other body"


class AnswerStore(Protocol):
    """Raises StoreUnavailableError when the database cannot answer."""

    async def claim(self, asked: Asked, before: datetime) -> First | tuple[int, Sealed]:
        """The key is ours from now on, or what became of the first. Forgets what is older than `before`."""
        ...

    async def keep(self, asked: Asked, status: int, sealed: Sealed) -> None: ...

    async def free(self, asked: Asked) -> None: ...


@dataclass(frozen=True, slots=True)
class Answers:
    store: AnswerStore
    keys: SealingKeys
    fresh: FreshBytes

    async def begin(self, asked: Asked) -> Answer | Problem | None:
        """None: nobody has asked this yet. Refuses: conflict, idempotency_key_reused."""
        first = await self.store.claim(asked, asked.now - KEPT)
        match first:
            case First.OURS:
                return None
            case First.RUNNING:
                return Problem(Code.CONFLICT, "running", shown="The first request with this Idempotency-Key is running")
            case First.OTHER_BODY:
                return Problem(Code.IDEMPOTENCY_KEY_REUSED)
            case status, sealed:
                return self._opened(asked, status, sealed)

    async def end(self, asked: Asked, answer: Answer) -> None:
        """What was refused is not kept: the same key may be tried again."""
        if answer.status >= 400:
            await self.store.free(asked)
        else:
            await self.store.keep(asked, answer.status, seal(answer.text, asked.place, self.keys, self.fresh))

    def _opened(self, asked: Asked, status: int, sealed: Sealed) -> Answer | Problem:
        try:
            return Answer(status, unseal(sealed, asked.place, self.keys))
        except SealError as error:
            return Problem(Code.CONFLICT, str(error), shown="The first answer cannot be read any more")


def asked(user_id: str, route: str, key: str, body: bytes, now: datetime) -> Asked | Problem:
    """`route`: method, path and query. Refuses: bad_request (a key that is not 1 to 255 printable ASCII characters)."""
    if not 0 < len(key) <= KEY_CHARS_MAX or not all(" " <= one <= "~" for one in key):
        return Problem(Code.BAD_REQUEST, shown="Idempotency-Key: must be 1 to 255 printable ASCII characters")
    return Asked(f"{user_id}:{route}", _hash(key.encode()), user_id, _hash(body), new_id(), now)


def _hash(text: bytes) -> str:
    return sha256(text).hexdigest()
