"""Claims: who used an Idempotency-Key first (guarantees M10)."""

import asyncio
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select

from contract.commit_fault import CommitFault
from contract.scenario import Clock
from tollway.billing.store import StoreUnavailableError
from tollway.storage.sql.claims import KEPT, SqlClaims
from tollway.storage.sql.database import RETRIES_MAX, Database
from tollway.storage.sql.insertion import insert_missing
from tollway.storage.sql.tables import idempotency_keys

SCOPE, KEY = "user:ann:/v1/chat/completions", "order 17 of 2026"
A_MOMENT = timedelta(microseconds=1)


@pytest.fixture
def claims(database: Database, clock: Clock) -> SqlClaims:
    return SqlClaims(database, clock)


@pytest.mark.parametrize("pool_size", [1, 10])
async def test_of_fifty_at_once_one_wins_and_all_others_name_it(
    connect: Callable[..., Database], pool_size: int
) -> None:
    """In two processes, as far as the database can tell."""
    both = [SqlClaims(connect(pool_size)) for _ in range(2)]
    answers = await asyncio.gather(*(both[number % 2].claim(SCOPE, KEY, f"r{number}") for number in range(50)))
    assert len(set(answers)) == 1
    assert answers[int(answers[0].removeprefix("r"))] == answers[0]
    assert await both[0].claim(SCOPE, KEY, "r99") == answers[0]


async def test_a_key_is_taken_for_a_day_and_free_again_after_it(claims: SqlClaims, clock: Clock) -> None:
    assert await claims.claim(SCOPE, KEY, "r1") == "r1"
    clock.now += KEPT
    assert await claims.claim(SCOPE, KEY, "r2") == "r1"
    clock.now += A_MOMENT
    assert await claims.claim(SCOPE, KEY, "r3") == "r3"
    clock.now += KEPT
    assert await claims.claim(SCOPE, KEY, "r4") == "r3"  # a day from its own beginning


async def test_what_is_a_day_old_is_forgotten_whoever_claims(
    database: Database, claims: SqlClaims, clock: Clock
) -> None:
    for number in range(3):
        await claims.claim(f"user:{number}:/", KEY, f"r{number}")
        clock.advance(hours=1)
    clock.advance(hours=22)
    await claims.claim("user:9:/", KEY, "r9")
    rows = await database.read(lambda connection: connection.execute(select(idempotency_keys.c.request_id)).scalars())
    assert set(rows) == {"r1", "r2", "r9"}


async def test_a_request_that_asks_again_still_has_its_key(claims: SqlClaims) -> None:
    for _ in range(3):
        assert await claims.claim(SCOPE, KEY, "r1") == "r1"


async def test_scopes_and_keys_do_not_meet(claims: SqlClaims) -> None:
    names = [(SCOPE, KEY), ("user:bob:/v1/chat/completions", KEY), (SCOPE, KEY + " "), (SCOPE, KEY.upper())]
    for number, (scope, key) in enumerate(names):
        assert await claims.claim(scope, key, f"r{number}") == f"r{number}"
    for number, (scope, key) in enumerate(names):
        assert await claims.claim(scope, key, "again") == f"r{number}"


async def test_only_the_one_who_has_a_key_frees_it(claims: SqlClaims) -> None:
    await claims.claim(SCOPE, KEY, "r1")
    await claims.claim(SCOPE, "other", "r2")
    for stranger in ("r2", "r3"):
        await claims.free(stranger)
        assert await claims.claim(SCOPE, KEY, "r4") == "r1"
    for _ in range(2):
        await claims.free("r1")
    assert await claims.claim(SCOPE, KEY, "r4") == "r4"
    assert await claims.claim(SCOPE, "other", "r5") == "r5"


async def test_a_key_that_comes_and_goes_is_never_two_requests_at_once(connect: Callable[..., Database]) -> None:
    both, holders = [SqlClaims(connect()) for _ in range(2)], set[str]()
    served = 0

    async def one(number: int) -> None:
        nonlocal served
        mine, claims = f"r{number}", both[number % 2]
        for _ in range(5):
            if await claims.claim(SCOPE, KEY, mine) == mine:
                assert not holders
                holders.add(mine)
                await asyncio.sleep(0)
                served += 1
                holders.remove(mine)
                await claims.free(mine)

    await asyncio.gather(*(one(number) for number in range(20)))
    assert served


async def test_a_key_that_is_freed_while_we_look_whose_it_is_is_ours(
    claims: SqlClaims, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[bool] = []

    def too_late(*arguments: Any) -> bool:
        seen.append(len(seen) > 0 and insert_missing(*arguments))
        return seen[-1]

    monkeypatch.setattr("tollway.storage.sql.claims.insert_missing", too_late)
    assert await claims.claim(SCOPE, KEY, "r1") == "r1"
    assert seen == [False, True]


@pytest.mark.parametrize("committed", [True, False], ids=["done", "not done"])
@pytest.mark.parametrize("times", [1, RETRIES_MAX])
async def test_a_lost_acknowledgement_does_not_lose_the_key(
    database: Database, claims: SqlClaims, times: int, committed: bool
) -> None:
    with CommitFault(database, times, committed=committed):
        assert await claims.claim(SCOPE, KEY, "r1") == "r1"
    with CommitFault(database, times, committed=committed):
        assert await claims.claim(SCOPE, KEY, "r2") == "r1"
    with CommitFault(database, times, committed=committed):
        await claims.free("r1")
    assert await claims.claim(SCOPE, KEY, "r2") == "r2"


async def test_nobody_has_a_key_while_it_is_not_known_who(database: Database, claims: SqlClaims) -> None:
    with CommitFault(database, RETRIES_MAX + 1, committed=False), pytest.raises(StoreUnavailableError):
        await claims.claim(SCOPE, KEY, "r1")
    assert await claims.claim(SCOPE, KEY, "r2") == "r2"


async def test_what_callers_wrote_is_not_stored(database: Database, claims: SqlClaims) -> None:
    await claims.claim(SCOPE, KEY, "r1")
    (row,) = await database.read(lambda connection: connection.execute(select(idempotency_keys)).all())
    assert KEY not in str(row)
