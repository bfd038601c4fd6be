"""What is stored of requests besides money: origins once, prompts only where wanted, records that were looked up."""

import asyncio
from datetime import timedelta

from sqlalchemy import func, select

from contract.commit_fault import CommitFault
from contract.scenario import ACME, ANN, START, Clock, a_hold, day_of_ann, outcome, record, top_up
from tollway.admin.records import User
from tollway.admin.store import Erasure
from tollway.billing.ledger import Basis, BudgetKind, BudgetRef, Correction
from tollway.billing.particulars import Origin, Particulars, encode_origin
from tollway.money import Microdollars
from tollway.storage.sql.accounting_tables import usage_origins, usage_prompts
from tollway.storage.sql.admin.store import SqlAdmin
from tollway.storage.sql.billing import SqlBooks
from tollway.storage.sql.database import Database
from tollway.storage.sql.kept_text import PROMPTS
from tollway.storage.sql.usage import SqlUsage
from tollway.wire.generation import Generation
from tollway.wire.usage import Usage

FULL = Origin(
    "cli", "code", "vim", "m1", "UA/1 é", "0" * 32, "DE", "Berlin", 52.5, -13.25, "t13d", "repo", "auto", True, False
)


def of(origin: Origin = FULL, **changes: object) -> Particulars:
    return Particulars(encode_origin(origin), **changes)


async def settle(books: SqlBooks, *ids: str, particulars: Particulars | None = None, worker: str = "w1") -> None:
    kept = record(particulars=particulars or of())
    await books.settle(worker, [outcome(a_hold(id_, 0), 0, record=kept) for id_ in ids])


async def count(database: Database, table) -> int:
    return await database.read(lambda connection: connection.execute(select(func.count()).select_from(table)).scalar())


async def test_everything_is_read_back(database: Database, books: SqlBooks) -> None:
    kept = of(
        session_id="s1",
        max_tokens=4096,
        system_prompt_length=17,
        system_prompt_prefix="be brief",
        user_prompt_prefix="hé",
    )
    await settle(books, "r1", particulars=kept)
    found = await SqlUsage(database).details("r1")
    assert found is not None
    for name in FULL.__struct_fields__:
        assert getattr(found, name) == getattr(FULL, name), name
    assert (found.session_id, found.max_tokens, found.system_prompt_length) == ("s1", 4096, 17)
    assert (found.system_prefix, found.user_prefix) == ("be brief", "hé")
    assert (found.upstream_id, found.found_prompt_tokens, found.abuse_request_id) == (None, None, None)
    assert await SqlUsage(database).details("r2") is None


async def test_an_origin_is_stored_once(database: Database, books: SqlBooks) -> None:
    other = of(Origin(user_agent="UA/2"))
    await settle(books, "r1", "r2")
    await settle(books, "r3")
    await settle(books, "r4", particulars=other)
    assert await count(database, usage_origins) == 2
    ids = [await SqlUsage(database).details(id_) for id_ in ("r1", "r3", "r4")]
    assert [one.user_agent for one in ids if one] == ["UA/1 é", "UA/1 é", "UA/2"]


async def test_workers_that_store_the_same_origins_at_once(connect, books: SqlBooks) -> None:
    """In whatever order they meet them."""
    origins = [of(Origin(user_agent=f"UA/{number}")) for number in range(20)]

    async def work(number: int) -> None:
        database = connect()
        mine = SqlBooks(database, Clock())
        order = origins if number % 2 else origins[::-1]
        batch = [
            outcome(
                a_hold(f"r{number}-{place}", 0, BudgetRef(BudgetKind.USER, f"u{number}")),
                0,
                record=record(particulars=kept),
            )
            for place, kept in enumerate(order)
        ]
        await mine.settle("w1", batch)

    await asyncio.gather(*(work(number) for number in range(4)))
    database = connect()
    assert await count(database, usage_origins) == 20
    found = await SqlUsage(database).details("r3-7")
    assert found
    assert found.user_agent == "UA/7"


async def test_a_lost_acknowledgement_stores_once(database: Database, books: SqlBooks) -> None:
    for committed in (True, False):
        with CommitFault(database, 1, committed=committed):
            await settle(books, f"r{committed}", particulars=of(user_prompt_prefix="x"))
    assert (await count(database, usage_origins), await count(database, usage_prompts)) == (1, 2)


async def test_prompts_are_forgotten_in_time(database: Database, books: SqlBooks, clock: Clock) -> None:
    await settle(books, "old", particulars=of(user_prompt_prefix="a"))
    clock.advance(days=1)
    await settle(books, "new", particulars=of(user_prompt_prefix=""))
    await settle(books, "none")
    assert await count(database, usage_prompts) == 2
    await PROMPTS.delete_expired(database, START + timedelta(hours=1) + timedelta(days=3), personal_days=3)
    found = [await SqlUsage(database).details(id_) for id_ in ("old", "new", "none")]
    assert [one.user_prefix for one in found if one] == [None, "", None]


async def test_what_the_upstream_recorded_is_kept_beside_what_was_settled(database: Database, books: SqlBooks) -> None:
    broken = record(particulars=of(), has_error=True, finish_reason=None)
    await books.settle("w1", [outcome(a_hold("r1", 0, worst_case=900), 100, basis=Basis.INTERRUPTED, record=broken)])
    found = Generation(Usage(33439, 251), False, Microdollars(-25076), "up-1", "Vendor", 1.5, 0.25, 2.0, cancelled=True)
    assert await books.correct("r1", Correction(50, 0), found)
    assert not await books.correct("r1", Correction(50, 0), found)
    details = await SqlUsage(database).details("r1")
    assert details
    assert (details.found_prompt_tokens, details.found_completion_tokens, details.found_cached_tokens) == (
        33439,
        251,
        0,
    )
    assert (details.cache_discount_microdollars, details.upstream_id) == (-25076, "up-1")
    assert (details.found_inference_provider, details.found_cancelled) == ("Vendor", True)
    assert (details.latency, details.moderation_latency, details.generation_time) == (1.5, 0.25, 2.0)
    row = await SqlUsage(database).find("r1")
    assert row
    assert (row.prompt_tokens, row.inference_provider) == (1000, "Vendor")


async def test_what_each_member_uses_is_counted_without_a_limit(database: Database, books: SqlBooks) -> None:
    """Also nothing, and on the day of the hold; with a limit it is the same row."""
    await top_up(database, ACME, 1000)
    member = record(organization_id="acme", key_id=None)
    await books.settle("w1", [outcome(a_hold("r1", 0, ACME), 0, record=member)])
    day = day_of_ann(500)
    assert await books.balance(day) == 500
    await books.settle("w1", [outcome(a_hold("r2", 0, ACME), 120, record=member)])
    await books.settle("w1", [outcome(a_hold("r3", (0, 0), ACME, day), 30, record=member)])
    assert await books.balance(day) == 350
    row = await SqlUsage(database).find("r2")
    assert row
    assert row.budgets == ("organization:acme", "member_day:acme:ann:2026-03-01")
    assert await books.balance(ANN) == 0


async def test_erasing_a_user_takes_what_their_requests_say_of_them(database: Database, books: SqlBooks) -> None:
    """Of an origin that others have as well nothing is lost; what was paid stays."""
    await SqlAdmin(database).add_user(User("ann", "ann@example.com", "Ann", None, START), "pepper")
    shared, own = Origin(user_agent="UA/shared"), FULL
    await settle(books, "r1", particulars=of(own, session_id="s1", user_prompt_prefix="hello"))
    await settle(books, "r2", particulars=of(shared, session_id="s2"))
    bobs = record(user_id="bob", particulars=of(shared, session_id="s3", user_prompt_prefix="hi"))
    await books.settle("w1", [outcome(a_hold("r3", 0), 0, record=bobs)])
    assert await SqlAdmin(database).erase_user("ann", "fresh", START) is Erasure.DONE
    for id_ in ("r1", "r2"):
        found = await SqlUsage(database).details(id_)
        assert found is not None
        assert (found.user_agent, found.session_id, found.user_prefix) == (None, None, None)
        assert await SqlUsage(database).find(id_) is not None
    kept = await SqlUsage(database).details("r3")
    assert kept is not None
    assert (kept.user_agent, kept.session_id, kept.user_prefix) == ("UA/shared", "s3", "hi")
    assert (await count(database, usage_origins), await count(database, usage_prompts)) == (1, 1)
