"""Mirror: the newest snapshot in a real Redis, whatever Redis does or does not."""

from collections.abc import Iterator
from time import monotonic
from typing import Any

import pytest
from msgspec.json import decode
from redis.asyncio import Redis

from contract.scenario import START
from servers.redis import RedisServer
from tollway.catalog.feed.payloads import Texts
from tollway.catalog.store import MirrorUnavailableError, StoredSnapshot
from tollway.storage.redis.client import open_client
from tollway.storage.redis.mirror import META, OPENROUTER, PROVIDERS, PUBLIC_PROVIDERS, VERCEL, RedisMirror

KEYS = (PROVIDERS, OPENROUTER, VERCEL, PUBLIC_PROVIDERS, META)
SNAPSHOT = StoredSnapshot(7, START, Texts(b'{"a":1}', b"\xc3\xa9", b"[]"))
READ_S, SLACK_S = 0.2, 1.0


@pytest.fixture
def server() -> Iterator[RedisServer]:
    """One of its own, which the test may do to as it likes."""
    made = RedisServer().start()
    yield made
    made.remove()


class Mirrored:
    """The mirror, and a client that looks behind it."""

    def __init__(self, server: RedisServer) -> None:
        self.client: Redis = open_client(server.url, 2.0)
        self.mirror = RedisMirror(self.client, READ_S, 1.0)

    async def __aenter__(self) -> "Mirrored":
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.mirror.close()

    async def values(self) -> list[Any]:
        return list(await self.client.mget(KEYS))


async def test_what_is_written_is_read_again(server: RedisServer) -> None:
    async with Mirrored(server) as one:
        assert await one.mirror.read() is None
        await one.mirror.write(SNAPSHOT, b'[{"slug":"x"}]')
        assert await one.mirror.read() == SNAPSHOT
        assert await one.client.get(PUBLIC_PROVIDERS) == b'[{"slug":"x"}]'
        assert [await one.client.ttl(key) for key in KEYS] == [-1] * 5
        meta = decode(await one.client.get(META))
        assert meta["snapshot_id"] == 7
        assert meta["bytes"] == {"providers": 7, "openrouter": 2, "vercel": 2}
        assert set(meta["sha256"]) == {"providers", "openrouter", "vercel"}


async def test_a_gateway_that_is_gone_takes_its_key_along_and_the_ancillary_list_stays(server: RedisServer) -> None:
    async with Mirrored(server) as one:
        await one.mirror.write(SNAPSHOT, b"[1]")
        alone = StoredSnapshot(8, START, Texts(b"{}", b"{}", None))
        await one.mirror.write(alone, None)
        assert await one.mirror.read() == alone
        assert await one.client.exists(VERCEL) == 0
        assert await one.client.get(PUBLIC_PROVIDERS) == b"[1]"


@pytest.mark.parametrize("key", [PROVIDERS, OPENROUTER, VERCEL, META])
@pytest.mark.parametrize("poison", [b"", b"{}", b"\x00\xff", b"[" * 50_000])
async def test_poison_is_no_snapshot(server: RedisServer, key: str, poison: bytes) -> None:
    async with Mirrored(server) as one:
        await one.mirror.write(SNAPSHOT, None)
        await one.client.set(key, poison)
        with pytest.raises(MirrorUnavailableError):
            await one.mirror.read()


async def test_two_snapshots_are_never_taken_for_one(server: RedisServer) -> None:
    async with Mirrored(server) as one:
        await one.mirror.write(SNAPSHOT, None)
        old = await one.client.get(META)
        await one.mirror.write(StoredSnapshot(8, START, Texts(b"{}", b"{}", b"{}")), None)
        await one.client.set(META, old)
        with pytest.raises(MirrorUnavailableError):
            await one.mirror.read()
        await one.client.delete(VERCEL)
        with pytest.raises(MirrorUnavailableError):
            await one.mirror.read()


async def test_a_key_of_another_kind_is_no_snapshot(server: RedisServer) -> None:
    async with Mirrored(server) as one:
        await one.mirror.write(SNAPSHOT, None)
        await one.client.delete(META)
        await one.client.rpush(META, "x")
        assert await one.mirror.read() is None
        await one.mirror.write(SNAPSHOT, None)
        assert await one.mirror.read() == SNAPSHOT


async def test_a_dead_or_frozen_redis_costs_its_time_out_and_comes_back(server: RedisServer) -> None:
    async with Mirrored(server) as one:
        await one.mirror.write(SNAPSHOT, None)
        server.freeze()
        began = monotonic()
        with pytest.raises(MirrorUnavailableError):
            await one.mirror.read()
        assert monotonic() - began < READ_S + SLACK_S
        began = monotonic()
        with pytest.raises(MirrorUnavailableError):
            await one.mirror.write(SNAPSHOT, None)
        assert monotonic() - began < 1.0 + SLACK_S
        server.thaw()
        server.kill()
        with pytest.raises(MirrorUnavailableError):
            await one.mirror.read()
        server.start()
        assert await one.mirror.read() is None
        await one.mirror.write(SNAPSHOT, None)
        assert await one.mirror.read() == SNAPSHOT
