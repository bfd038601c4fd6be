"""RedisMirror: the newest snapshot under fixed keys, so that other programs can read it as well.

Nothing expires. All keys change in one MULTI/EXEC, together with `meta`, which tells whose they are and how they hash,
so that nobody ever takes two snapshots for one. Source: catalog-and-clients A.6.2, A.6.3.
"""

import asyncio
from collections.abc import Awaitable
from datetime import datetime
from hashlib import sha256
from typing import Any, Final

from msgspec import Struct, ValidationError
from msgspec.json import Decoder, encode
from redis.asyncio import Redis
from redis.exceptions import RedisError

from tollway.catalog.feed.payloads import PAYLOAD_BYTES_MAX, Texts
from tollway.catalog.store import MirrorUnavailableError, StoredSnapshot

PREFIX: Final = "ai-gateway.sync-providers."
PROVIDERS: Final = f"{PREFIX}providers"
OPENROUTER: Final = f"{PREFIX}openrouter"
VERCEL: Final = f"{PREFIX}vercel"
PUBLIC_PROVIDERS: Final = f"{PREFIX}openrouter_providers"
META: Final = f"{PREFIX}meta"


class _Meta(Struct):
    snapshot_id: int
    generated_at: datetime
    bytes: dict[str, int]
    sha256: dict[str, str]


_decode_meta: Final = Decoder(_Meta).decode


class RedisMirror:
    """Implements Mirror. `read_s` and `write_s` bound each call, whatever Redis does or does not."""

    def __init__(self, client: Redis, read_s: float, write_s: float) -> None:
        self._client = client
        self._read_s = read_s
        self._write_s = write_s

    async def read(self) -> StoredSnapshot | None:
        values = await self._ask(self._client.mget(META, PROVIDERS, OPENROUTER, VERCEL), self._read_s)
        meta, providers, openrouter, vercel = values
        if meta is None or providers is None:
            return None
        try:
            found = _decode_meta(meta)
        except (ValidationError, ValueError) as error:
            raise MirrorUnavailableError(f"{META} is not ours: {error}") from None
        texts = Texts(providers, openrouter, vercel)
        if texts.size > PAYLOAD_BYTES_MAX or _hashes(texts) != found.sha256:
            raise MirrorUnavailableError("the copies are not those that were written")
        return StoredSnapshot(found.snapshot_id, found.generated_at, texts)

    async def write(self, snapshot: StoredSnapshot, public_providers: bytes | None) -> None:
        texts = snapshot.texts
        values = {PROVIDERS: texts.providers, OPENROUTER: texts.openrouter, VERCEL: texts.vercel}
        sizes = {name.removeprefix(PREFIX): len(value) for name, value in values.items() if value is not None}
        generated_at = snapshot.generated_at
        meta = {
            "snapshot_id": snapshot.id,
            "generated_at": generated_at,
            "bytes": sizes,
            "sha256": _hashes(texts),
        }
        transaction = self._client.pipeline(transaction=True)
        for name, value in values.items():
            if value is None:
                transaction.delete(name)
            else:
                transaction.set(name, value)
        if public_providers is not None:
            transaction.set(PUBLIC_PROVIDERS, public_providers)
        transaction.set(META, encode(meta))
        await self._ask(transaction.execute(), self._write_s)

    async def close(self) -> None:
        await self._client.aclose()
        await self._client.connection_pool.disconnect()

    async def _ask(self, work: Awaitable[Any], within_s: float) -> Any:
        try:
            async with asyncio.timeout(within_s):
                return await work
        except (RedisError, OSError, TimeoutError) as error:
            raise MirrorUnavailableError(type(error).__name__) from error


def _hashes(texts: Texts) -> dict[str, str]:
    values = {"providers": texts.providers, "openrouter": texts.openrouter, "vercel": texts.vercel}
    return {name: sha256(value).hexdigest() for name, value in values.items() if value is not None}
