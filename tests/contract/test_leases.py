"""Leases, recalls and what is given back, one at a time."""

from datetime import timedelta

import pytest
from sqlalchemy import Connection, select

from contract.scenario import ACME, ANN, MANY, START, Clock, a_hold, day_of_ann, key_of_ann, order, outcome, top_up
from tollway.billing.ledger import HoldPolicy, HoldRefused
from tollway.billing.store import Leased, Recalled, Roll, SilentWorker, WorkerEndedError
from tollway.money import MICRODOLLARS_MAX, MoneyOverflowError
from tollway.storage.sql.billing import SqlBooks
from tollway.storage.sql.database import Database
from tollway.storage.sql.tables import budgets, lease_changes, leases, workers


async def test_an_empty_account_is_refused(books: SqlBooks) -> None:
    assert await books.lease(order("r1", 10)) == HoldRefused(ANN, 0)
    assert await books.balance(ANN) == 0


async def test_a_worker_keeps_a_share_beside_the_hold(database: Database, books: SqlBooks) -> None:
    await top_up(database, ANN, 1000)
    assert await books.lease(order("r1", 100, sharers=2)) == Leased((100,), (150,))
    assert await books.balance(ANN) == 750
    assert await _leases(database) == {("w1", "user:ann"): 250}


async def test_what_was_free_is_divided_anew(database: Database, books: SqlBooks) -> None:
    """The nearer the end, the smaller the share: the answer may take back what was on the table."""
    await top_up(database, ANN, 1000)
    await books.lease(order("r1", 100, sharers=1))  # 100 held, 400 free
    assert await books.lease(order("r2", 500, free=400, sharers=4)) == Leased((500,), (0,))
    assert await _leases(database) == {("w1", "user:ann"): 600}
    assert await books.lease(order("r3", 50, sharers=4)) == Leased((50,), (0,))
    assert await books.lease(order("r4", 10, free=0, sharers=1)) == Leased((10,), (165,))
    assert await books.lease(order("r5", 10, free=165, sharers=MANY)) == Leased((10,), (0,))
    assert await _leases(database) == {("w1", "user:ann"): 670}


async def test_a_free_request_holds_nothing(database: Database, books: SqlBooks) -> None:
    assert await books.lease(order("r1", 0)) == Leased((0,), (0,))
    await top_up(database, ANN, 100)
    assert await books.lease(order("r2", 40, sharers=1)) == Leased((40,), (10,))
    assert await books.lease(order("r3", 0, free=10, sharers=MANY)) == Leased((0,), (0,))
    assert await _leases(database) == {("w1", "user:ann"): 40}
    assert await books.lease(order("r4", 0)) == Leased((0,), (0,))  # a lease of nothing is no row
    await books.give_back("w1", {ANN.id: 40})
    assert await _leases(database) == {}


async def test_a_strict_hold_must_fit_whole(database: Database, books: SqlBooks) -> None:
    await top_up(database, ANN, 1000)
    strict = HoldPolicy.STRICT
    assert await books.lease(order("r1", 1001, policy=strict)) == HoldRefused(ANN, 1000)
    assert await books.lease(order("r1", 1000, policy=strict)) == Leased((1000,), (0,))
    assert await books.lease(order("r2", 1, policy=strict)) == HoldRefused(ANN, 0)


async def test_one_request_may_be_partly_covered(database: Database, books: SqlBooks) -> None:
    await top_up(database, ANN, 1000)
    await books.lease(order("r1", 400))
    assert await books.lease(order("r2", 700)) == Leased((600,), (0,))
    assert await _marks(database) == {"user:ann": ("r2", "w1")}
    await top_up(database, ANN, 50, "more")
    assert await books.lease(order("r3", 60)) == HoldRefused(ANN, 50)  # another one is
    assert await books.lease(order("r3", 50)) == Leased((50,), (0,))  # in full it is admitted all the same
    await books.settle("w1", [outcome(a_hold("r2", 600, worst_case=700), 650)])
    assert await _marks(database) == {}
    assert await books.balance(ANN) == -50
    await top_up(database, ANN, 60, "again")
    assert await books.lease(order("r4", 60)) == Leased((10,), (0,))
    await books.settle("w1", [outcome(a_hold("r4", 10, worst_case=60), 0)])


async def test_a_partly_covered_request_without_outcome_makes_way(database: Database, books: SqlBooks) -> None:
    await top_up(database, ACME, 100)
    refs = (ACME, day_of_ann(90))
    assert await books.lease(order("r1", 200, *refs)) == Leased((100, 90), (0, 0))
    assert set(await _marks(database)) == {ref.id for ref in refs}
    await books.give_back("w2", {}, ["r1"])  # not that worker's
    await books.give_back("w1", {}, ["r2"])
    assert set(await _marks(database)) == {ref.id for ref in refs}
    await books.give_back("w1", {ACME.id: 100, refs[1].id: 90}, ["r1"])
    assert await _marks(database) == {}
    assert await books.lease(order("r2", 200, *refs)) == Leased((100, 90), (0, 0))
    await books.retire("w1")


async def test_all_budgets_lease_or_none(database: Database, books: SqlBooks) -> None:
    await top_up(database, ACME, 1000)
    refs = (ACME, day_of_ann(500), key_of_ann(300))
    assert await books.lease(order("r1", 400, *refs)) == Leased((400, 400, 300), (0, 0, 0))
    assert await _marks(database) == {"key:k1": ("r1", "w1")}
    assert [await books.balance(ref) for ref in refs] == [600, 100, 0]
    assert await books.lease(order("r2", 1, *refs)) == HoldRefused(refs[2], 0)
    assert [await books.balance(ref) for ref in refs] == [600, 100, 0]
    await books.retire("w1")


async def test_a_refusal_names_the_tightest(database: Database, books: SqlBooks) -> None:
    await top_up(database, ACME, 1000)
    refs = (ACME, key_of_ann(400), day_of_ann(300))
    answer = await books.lease(order("r1", 500, *refs, policy=HoldPolicy.STRICT))
    assert answer == HoldRefused(day_of_ann(300), 300)
    await books.lease(order("r2", 350, *refs[:2], free=0, sharers=MANY))
    # Whatever refuses, not whatever is tight: the key has less, but nobody asks it for more than that.
    assert await books.lease(order("r3", 50, *refs[1:], policy=HoldPolicy.STRICT)) == Leased((50, 50), (0, 0))


async def test_what_others_have_free_is_recalled_first(database: Database, books: SqlBooks) -> None:
    await top_up(database, ANN, 1000)
    assert await books.lease(order("r1", 100, sharers=1)) == Leased((100,), (400,))
    assert await books.lease(order("r2", 700, worker="w2")) == Recalled(ANN)
    assert await _leases(database) == {("w1", "user:ann"): 500}  # nothing changed
    assert await books.report("w2") == Roll(2, ())
    assert await books.report("w1") == Roll(2, ("user:ann",))
    assert await books.report("w1") == Roll(2, ())  # told once
    await books.give_back("w1", {ANN.id: 400})
    assert await books.lease(order("r2", 700, worker="w2")) == Leased((700,), (0,))


async def test_the_last_try_takes_what_there_is(database: Database, books: SqlBooks) -> None:
    await top_up(database, ANN, 1000)
    await books.lease(order("r1", 100, sharers=1))
    assert await books.lease(order("r2", 700, worker="w2", policy=HoldPolicy.STRICT, last=True)) == HoldRefused(
        ANN, 500
    )
    assert await books.report("w1") == Roll(2, ())
    assert await books.lease(order("r2", 700, worker="w2", last=True)) == Leased((500,), (0,))
    assert await books.lease(order("r3", 1, worker="w2", last=True)) == HoldRefused(ANN, 0)
    await books.retire("w2")


async def test_only_short_budgets_of_others_are_recalled(database: Database, books: SqlBooks) -> None:
    """One's own lease is no reason to wait, nor is one in a budget that has enough."""
    await top_up(database, ACME, 1000)
    await books.lease(order("r1", 10, ACME, key_of_ann(100), sharers=1))
    assert await books.lease(order("r2", 200, ACME, day_of_ann(100), worker="w2", policy=HoldPolicy.STRICT)) == (
        HoldRefused(day_of_ann(100), 100)
    )
    assert await books.lease(order("r3", 80, ACME, key_of_ann(100), worker="w2")) == Recalled(key_of_ann(100))
    assert await books.report("w1") == Roll(2, ("key:k1",))
    assert await books.lease(order("r3", 80, ACME, key_of_ann(100), policy=HoldPolicy.STRICT)) == (
        HoldRefused(key_of_ann(100), 50)
    )


async def test_a_lower_limit_acts_on_what_is_leased_too(database: Database, books: SqlBooks) -> None:
    await top_up(database, ACME, 1000)
    assert await books.lease(order("r1", 100, ACME, day_of_ann(500), sharers=1)) == Leased((100, 100), (400, 150))
    # Lowered below what is leased: what the worker has free no longer counts as there.
    assert await books.lease(order("r2", 10, ACME, day_of_ann(100), free=(400, 150))) == HoldRefused(day_of_ann(100), 0)
    assert await books.lease(order("r2", 10, ACME, day_of_ann(109), free=(400, 150))) == Leased((10, 9), (0, 0))
    assert await _leases(database) == {("w1", ACME.id): 110, ("w1", day_of_ann(0).id): 109}
    assert await books.balance(day_of_ann(50)) == -59
    await books.retire("w1")


async def test_a_budget_without_a_limit_is_not_leased(database: Database, books: SqlBooks) -> None:
    await top_up(database, ACME, 1000)
    with pytest.raises(ValueError, match="no limit"):
        await books.lease(order("r1", 10, ACME, key_of_ann(None)))
    assert await books.balance(key_of_ann(None)) == MICRODOLLARS_MAX
    assert await books.balance(key_of_ann(15)) == 15
    assert await books.balance(ACME) == 1000


async def test_a_budget_is_asked_once(books: SqlBooks) -> None:
    with pytest.raises(ValueError, match="twice"):
        await books.lease(order("r1", 10, ANN, ANN))


async def test_more_than_is_leased_cannot_be_put_on_the_table_or_given_back(
    database: Database, books: SqlBooks
) -> None:
    """A worker that was given up and comes back thinks that it has a lease."""
    await top_up(database, ANN, 1000)
    assert await books.lease(order("r1", 100, free=5000, last=True)) == Leased((100,), (0,))
    await books.give_back("w1", {ANN.id: MICRODOLLARS_MAX, ACME.id: 5})
    assert await books.balance(ANN) == 1000
    assert await _leases(database) == {}
    with pytest.raises(ValueError, match="negative"):
        await books.give_back("w1", {ANN.id: -1})


async def test_amounts_beyond_64_bits_are_refused(database: Database, books: SqlBooks) -> None:
    await top_up(database, ANN, MICRODOLLARS_MAX)
    await books.lease(order("r1", MICRODOLLARS_MAX))
    with pytest.raises(MoneyOverflowError):
        await books.lease(order("r2", 1, key_of_ann(4 * MICRODOLLARS_MAX), free=0, sharers=1))
    assert isinstance(await books.lease(order("r3", MICRODOLLARS_MAX, key_of_ann(4 * MICRODOLLARS_MAX))), Leased)
    with pytest.raises(MoneyOverflowError):
        await books.lease(order("r4", 10, key_of_ann(4 * MICRODOLLARS_MAX)))
    with pytest.raises(MoneyOverflowError):
        await top_up(database, ANN, MICRODOLLARS_MAX, "second")


async def test_a_retired_worker_holds_nothing_and_leases_nothing(
    database: Database, books: SqlBooks, clock: Clock
) -> None:
    await top_up(database, ANN, 1000)
    await books.lease(order("r1", 1200, sharers=1))
    await books.lease(order("r2", 10, key_of_ann(50), sharers=1))
    for _ in range(2):
        await books.retire("w1")
        clock.advance(seconds=1)
    assert await _leases(database) == await _marks(database) == {}
    assert await books.balance(ANN) == 1000
    for worker in ("w1", "unknown"):
        with pytest.raises(WorkerEndedError):
            await books.lease(order("r3", 10, worker=worker))
        await books.give_back(worker, {ANN.id: 10})
        await books.retire(worker)
    ended = await database.read(lambda connection: connection.execute(select(workers.c.id, workers.c.ended_at)).all())
    assert dict(ended) == {"w1": Clock().now, "w2": None}


async def test_the_roll_counts_who_was_seen_lately(books: SqlBooks, clock: Clock) -> None:
    assert await books.report("w1") == Roll(2, ())
    clock.advance(seconds=29)
    assert await books.report("w1") == Roll(2, ())
    clock.advance(seconds=1)
    assert await books.report("w1") == Roll(1, ())
    await books.retire("w1")
    assert await books.report("w1") == Roll(1, ())
    assert await books.report("w2") == Roll(1, ())


async def test_a_look_for_recalls_changes_nothing(database: Database, books: SqlBooks) -> None:
    assert not await books.is_recalled("w1")
    await top_up(database, ANN, 1000)
    await books.lease(order("r1", 100, sharers=1))
    assert not await books.is_recalled("w1")
    assert await books.lease(order("r2", 700, worker="w2")) == Recalled(ANN)
    for _ in range(2):
        assert await books.is_recalled("w1")
        assert not await books.is_recalled("w2")
        assert not await books.is_recalled("unknown")
    assert await books.report("w1") == Roll(2, (ANN.id,))
    assert not await books.is_recalled("w1")


async def test_who_is_silent_and_what_that_locks_up(database: Database, books: SqlBooks, clock: Clock) -> None:
    await top_up(database, ANN, 1000)
    await top_up(database, ACME, 1000)
    clock.advance(seconds=5)
    await books.enlist("w3", "node 3")
    await books.lease(order("r1", 100, sharers=1))
    await books.lease(order("r2", 70, ACME, sharers=1))
    assert await books.silent_workers() == ()
    clock.advance(seconds=24)
    assert await books.silent_workers() == ()
    clock.advance(seconds=1)
    assert await books.silent_workers() == (
        SilentWorker("w1", "node", START, 500 + 500),
        SilentWorker("w2", "node", START, 0),
    )
    clock.advance(seconds=5)
    w3 = SilentWorker("w3", "node 3", START + timedelta(seconds=5), 0)
    assert (await books.silent_workers())[2:] == (w3,)
    await books.report("w1")
    await books.retire("w2")
    assert await books.silent_workers() == (w3,)
    await books.retire("w3")
    clock.advance(seconds=30)
    assert [one.id for one in await books.silent_workers()] == ["w1"]
    assert all(type(one.leased_microdollars) is int for one in await books.silent_workers())


async def test_enlisting_again_changes_nothing(books: SqlBooks) -> None:
    await books.retire("w1")
    await books.enlist("w1", "other node")
    with pytest.raises(WorkerEndedError):
        await books.lease(order("r3", 10))


async def test_answered_changes_are_forgotten(database: Database, books: SqlBooks, clock: Clock) -> None:
    await top_up(database, ANN, 1000)
    await books.lease(order("r1", 10))
    await books.lease(order("r2", 5000, policy=HoldPolicy.STRICT))  # a refusal is no change
    await books.give_back("w1", {})
    assert await _changes(database) == 2
    clock.advance(days=-400)
    await books.report("w1")
    assert await _changes(database) == 0
    await books.lease(order("r3", 10))
    clock.advance(days=800)
    await SqlBooks(database, clock).report("w2")  # what others do is theirs, however old it looks
    assert await _changes(database) == 1
    await books.retire("w2")
    assert await _changes(database) == 1
    await books.retire("w1")
    assert await _changes(database) == 0


async def _leases(database: Database) -> dict[tuple[str, str], int]:
    columns = (leases.c.worker_id, leases.c.budget_id, leases.c.amount_microdollars)
    rows = await database.read(lambda connection: connection.execute(select(*columns)).all())
    return {(worker, budget): amount for worker, budget, amount in rows}


async def _marks(database: Database) -> dict[str, tuple[str, str]]:
    columns = (budgets.c.id, budgets.c.partly_covered_request, budgets.c.partly_covered_worker)
    statement = select(*columns).where(budgets.c.partly_covered_request.is_not(None))
    rows = await database.read(lambda connection: connection.execute(statement).all())
    return {id_: (request, worker) for id_, request, worker in rows}


async def _changes(database: Database) -> int:
    def count(connection: Connection) -> int:
        return len(connection.execute(select(lease_changes.c.id)).all())

    return await database.read(count)
