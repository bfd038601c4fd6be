"""Free models in the running program, with two workers and a real Redis: one limit for all, also when Redis dies."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import select

from flow.accounts import Account, Accounts
from flow.conversation import ask, chat
from flow.programs import Gateway, Sim, settings_for
from servers.redis import RedisServer
from tollway.storage.sql.admin.store import SqlAdmin
from tollway.storage.sql.database import Database
from tollway.storage.sql.tables import free_model_usage

MODEL = "sim/story"
BODY = chat(MODEL)
PRESET = f"""
[free]
hosted_count = 6

[[hosted_models]]
public_id = "{MODEL}"
internal_id = "{MODEL}"
gateway = "sim"
context_length = 1000
completion_tokens_max = 100
"""
# The usual time-out is for machines with nothing else to do.
TOP = """
workers = 2
instances = 1
preset = "{preset}"
redis_url = "{redis}"
timeouts.redis_s = 2
"""


@pytest.fixture
def redis_server() -> Iterator[RedisServer]:
    server = RedisServer().start()
    yield server
    server.remove()


@pytest.fixture
def settings(tmp_path: Path, sim: Sim, redis_server: RedisServer) -> str:
    preset = tmp_path / "preset.toml"
    preset.write_text(PRESET)
    return settings_for(tmp_path, sim.url, top=TOP.format(preset=preset, redis=redis_server.url))


def statuses(gateway: Gateway, account: Account, count: int) -> list[int]:
    """Each over a connection of its own, which either worker may take."""
    return [ask(gateway, account, BODY).status for _ in range(count)]


def test_the_limit_is_one_for_all_workers_and_outlives_them_and_redis(
    tmp_path: Path, settings: str, redis_server: RedisServer
) -> None:
    gateway = Gateway(tmp_path, settings)
    try:
        accounts = Accounts(gateway.config)
        account = accounts.create()
        assert statuses(gateway, account, 4) == [200] * 4
        gateway.stop()
        gateway = Gateway(tmp_path, settings)
        assert statuses(gateway, account, 4) == [200, 200, 429, 429]
        refused = ask(gateway, account, BODY, "/api/gateway/chat/completions")
        assert refused.json["error"] == "Rate limit exceeded"
        assert int(refused.headers["retry-after"]) in range(3_500, 3_602)
        assert (refused.headers["x-ratelimit-limit"], refused.headers["x-ratelimit-remaining"]) == ("6", "0")
        assert ask(gateway, account, chat("sim/echo")).status == 200
        redis_server.kill()
        alone = statuses(gateway, account, 12)
        assert set(alone) == {200, 429}
        assert 3 <= alone.count(200) <= 6  # three of each worker; the kernel decides who gets how many of the twelve
        rows = accounts.run(stored)
        assert len(rows) == 6 + alone.count(200)
        assert {(model, user) for _, model, user in rows} == {(MODEL, account.user_id)}
        assert not any("127.0.0.1" in address for address, _, _ in rows)
        assert accounts.differences() == ()
    finally:
        assert gateway.stop() == 0
    assert sum("shared_windows_unavailable" in line for line in gateway.lines) in (1, 2)


async def stored(_: SqlAdmin, database: Database) -> list[tuple[str, str, str | None]]:
    columns = free_model_usage.c
    query = select(columns.address_hash, columns.model, columns.user_id)
    rows = await database.read(lambda connection: connection.execute(query).all())
    return [(row[0], row[1], row[2]) for row in rows]
