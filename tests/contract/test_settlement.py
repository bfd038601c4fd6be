"""Settlements in batches, one batch at a time."""

from datetime import timedelta

import pytest
from sqlalchemy import select

from contract.scenario import (
    ACME,
    ANN,
    BOB,
    DAY,
    START,
    Clock,
    a_hold,
    day_of_ann,
    key_of_ann,
    order,
    outcome,
    record,
    top_up,
)
from tollway.billing.ledger import ABSORBED, REVENUE, Basis
from tollway.billing.store import Leased
from tollway.money import MICRODOLLARS_MAX, MoneyOverflowError
from tollway.storage.sql.billing import SqlBooks
from tollway.storage.sql.bulk import ROWS_PER_STATEMENT
from tollway.storage.sql.database import Database
from tollway.storage.sql.tables import leases, ledger_entries, usage, usage_metadata
from tollway.storage.sql.usage import SqlUsage, UsageRow
from tollway.wire.usage import Usage


async def test_a_settlement_takes_what_the_hold_used(database: Database, books: SqlBooks) -> None:
    """What it did not use was free in the worker's slice all along, and stays leased."""
    await top_up(database, ANN, 1000)
    assert await books.lease(order("r1", 400)) == Leased((400,), (0,))
    assert await books.settle("w1", [outcome(a_hold("r1", 400), 150)]) == ()
    assert await _leased(database) == {("w1", ANN.id): 250}
    assert await books.balance(ANN) == 600
    await books.give_back("w1", {ANN.id: 250})
    assert await books.balance(ANN) == 850


async def test_every_budget_counts_the_charge(database: Database, books: SqlBooks) -> None:
    await top_up(database, ACME, 1000)
    refs = (ACME, day_of_ann(500), key_of_ann(150))
    assert await books.lease(order("r1", 200, *refs)) == Leased((200, 200, 150), (0, 0, 0))
    await books.settle("w1", [outcome(a_hold("r1", (200, 200, 150), *refs), 180)])
    assert await _leased(database) == {("w1", ACME.id): 20, ("w1", refs[1].id): 20}
    assert [await books.balance(ref) for ref in refs] == [800, 300, -30]


async def test_a_batch_of_many_accounts(database: Database, books: SqlBooks) -> None:
    """Some budgets are new, some requests are free, one is absorbed, two are of one account."""
    await top_up(database, ANN, 1000)
    await top_up(database, ACME, 1000)
    await books.lease(order("r1", 100))
    await books.lease(order("r2", 100))
    await books.lease(order("r3", 300, ACME, day_of_ann(500)))
    batch = [
        outcome(a_hold("r1", 100), 40),
        outcome(a_hold("r2", 100), 100),
        outcome(a_hold("r3", 300, ACME, day_of_ann(500)), 250),
        outcome(a_hold("r4", 0, BOB), 0, basis=Basis.FREE),
        outcome(a_hold("r5", 0, ANN, key_of_ann(90)), 0, 30, basis=Basis.ABSORBED),
        outcome(a_hold("r6", 0, BOB), 7),
    ]
    assert await books.settle("w1", batch) == ()
    assert await _leased(database) == {("w1", ACME.id): 50, ("w1", day_of_ann(0).id): 50, ("w1", ANN.id): 60}
    balances = [await books.balance(ref) for ref in (ANN, BOB, ACME, day_of_ann(500), key_of_ann(90))]
    assert balances == [800, -7, 700, 200, 90]
    rows = await _rows(database, select(usage.c.id, usage.c.cost_microdollars).order_by(usage.c.id))
    assert rows == [("r1", 40), ("r2", 100), ("r3", 250), ("r4", 0), ("r5", 0), ("r6", 7)]


async def test_what_was_settled_before_is_left_out(database: Database, books: SqlBooks) -> None:
    await top_up(database, ANN, 1000)
    await books.lease(order("r1", 400))
    await books.lease(order("r2", 300))
    first = outcome(a_hold("r1", 400), 150)
    await books.settle("w1", [first])
    again = outcome(a_hold("r1", 400), 399)
    assert await books.settle("w1", [again, outcome(a_hold("r2", 300), 100), again]) == ("r1",)
    assert await books.settle("w2", [again]) == ("r1",)
    assert await _leased(database) == {("w1", ANN.id): 450}
    assert await books.balance(ANN) == 1000 - 150 - 100 - 450
    assert await books.settle("w1", []) == ()


async def test_a_request_twice_in_a_batch_counts_once(database: Database, books: SqlBooks) -> None:
    await top_up(database, ANN, 1000)
    await books.lease(order("r1", 400))
    assert await books.settle("w1", [outcome(a_hold("r1", 400), 150), outcome(a_hold("r1", 400), 399)]) == ()
    assert await books.balance(ANN) == 600
    assert await _leased(database) == {("w1", ANN.id): 250}


async def test_a_lease_that_was_returned_is_not_returned_again(database: Database, books: SqlBooks) -> None:
    """The worker was given up before its journal was settled: what its holds used is no longer set aside."""
    await top_up(database, ANN, 1000)
    await books.lease(order("r1", 400))
    await books.lease(order("r2", 300, worker="w2"))
    await books.retire("w1")
    assert await books.settle("w1", [outcome(a_hold("r1", 400), 150)]) == ()
    assert await _leased(database) == {("w2", ANN.id): 300}
    assert await books.balance(ANN) == 550


async def test_a_lease_smaller_than_what_was_used_ends_at_nothing(database: Database, books: SqlBooks) -> None:
    await top_up(database, ANN, 1000)
    await books.lease(order("r1", 400))
    await books.give_back("w1", {ANN.id: 300})
    await books.settle("w1", [outcome(a_hold("r1", 400), 150)])
    assert await _leased(database) == {}
    assert await books.balance(ANN) == 850


async def test_a_charge_beyond_the_hold_may_overdraw(database: Database, books: SqlBooks) -> None:
    await top_up(database, ANN, 100)
    await books.lease(order("r1", 500))
    await books.settle("w1", [outcome(a_hold("r1", 100, worst_case=500), 130)])
    assert await books.balance(ANN) == -30


@pytest.mark.parametrize("count", [0, 1, min(ROWS_PER_STATEMENT), 2 * max(ROWS_PER_STATEMENT) + 30])
async def test_batches_of_any_size(database: Database, books: SqlBooks, count: int) -> None:
    await top_up(database, ANN, 100_000)
    await books.lease(order("r", 50_000))
    assert await books.settle("w1", [outcome(a_hold(f"r{n}", 10), 9, n % 2) for n in range(count)]) == ()
    assert await books.balance(ANN) == 50_000
    assert sum([row.amount_microdollars for row in await _rows(database, select(leases))]) == 50_000 - 9 * count
    assert len(await _rows(database, select(usage.c.id))) == count
    assert len(await _rows(database, select(ledger_entries.c.kind))) == 1 + count + count // 2


async def test_amounts_beyond_64_bits_are_refused_whole(database: Database, books: SqlBooks) -> None:
    await top_up(database, ANN, 1000)
    await books.settle("w1", [outcome(a_hold("r1", 0), MICRODOLLARS_MAX)])
    with pytest.raises(MoneyOverflowError):
        await books.settle("w1", [outcome(a_hold("r2", 0, BOB), 5), outcome(a_hold("r3", 0), 1)])
    half = MICRODOLLARS_MAX // 2 + 1
    with pytest.raises(MoneyOverflowError):
        await books.settle("w1", [outcome(a_hold("r4", 0, BOB), half), outcome(a_hold("r5", 0, BOB), half)])
    assert await _rows(database, select(usage.c.id)) == [("r1",)]


async def test_a_settlement_writes_everything_down(database: Database, books: SqlBooks, clock: Clock) -> None:
    await top_up(database, ACME, 1000)
    refs = (ACME, day_of_ann(350))
    await books.lease(order("r1", 400, *refs))
    clock.advance(seconds=5)
    hold = a_hold("r1", (400, 350), *refs)
    changes = {"market_cost": 175, "list_cost": 174, "reported_cost": 176, "basis": Basis.INTERRUPTED}
    await books.settle("w1", [outcome(hold, 150, 25, record=record(organization_id="acme"), **changes)])

    entries = select(
        ledger_entries.c.kind,
        ledger_entries.c.debit_account,
        ledger_entries.c.credit_account,
        ledger_entries.c.amount_microdollars,
        ledger_entries.c.memo,
        ledger_entries.c.created_at,
    ).where(ledger_entries.c.source_id == "r1")
    assert sorted(await _rows(database, entries)) == [
        ("absorbed", ABSORBED, REVENUE, 25, None, clock.now),
        ("charge", ACME.id, REVENUE, 150, None, clock.now),
    ]
    assert await SqlUsage(database).find("r1") == UsageRow(
        id="r1",
        user_id="ann",
        organization_id="acme",
        key_id="k1",
        provider_id="openrouter",
        requested_model="Vendor/Model",
        model="vendor/model",
        upstream_model="vendor/model-2026",
        inference_provider="Vendor",
        prompt_tokens=1000,
        completion_tokens=200,
        cached_tokens=600,
        cache_write_tokens=0,
        reasoning_tokens=50,
        basis="interrupted",
        price_version="openrouter/vendor/model@2026-01-01",
        prompt_usd=record().prompt_usd,
        completion_usd=record().completion_usd,
        worst_case_microdollars=400,
        hold_microdollars=400,
        list_cost_microdollars=174,
        reported_cost_microdollars=176,
        market_cost_microdollars=175,
        cost_microdollars=150,
        absorbed_microdollars=25,
        corrected_microdollars=0,
        corrected_absorbed_microdollars=0,
        reconciled_at=None,
        lookups=0,
        has_error=False,
        usage_day=DAY,
        budgets=(ACME.id, refs[1].id),
        created_at=START,
        message_id="gen-1",
        status_code=200,
        streamed=True,
        cancelled=False,
        finish_reason="stop",
        is_byok=None,
        route=("openrouter/vendor/model-2026", "other/model é"),
        attempts=("other:503", "openrouter:200"),
        prompt_tokens_max=1500,
        completion_tokens_max=4096,
        latency_ms=1234,
        rule=None,
    )
    assert await _rows(database, select(usage.c.abuse_classification)) == [(0,)]
    assert await SqlUsage(database).find("r2") is None


async def test_what_is_stored_directly_is_what_the_types_would_store(database: Database, books: SqlBooks) -> None:
    """Rows go around SQLAlchemy's types; whatever they hold must read as if they had not."""
    exotic = record(
        organization_id="é\n\t\\",
        key_id=None,
        inference_provider=None,
        message_id=None,
        finish_reason=None,
        prompt_usd=record().prompt_usd.scaleb(-12),
        completion_usd=record().completion_usd.scaleb(9),
        route=(),
        attempts=('"', "\\", "\u2028é\x7f"),
        created_at=START - timedelta(days=30_000, microseconds=1),
        has_error=True,
        cancelled=True,
        streamed=False,
    )
    written = outcome(a_hold("r1", 0), 0, usage=Usage(2**40, 0, is_byok=True), record=exotic)
    await books.settle("w1", [written])
    row = await SqlUsage(database).find("r1")
    assert row is not None
    names = set(UsageRow.__slots__)
    for name in set(exotic.__struct_fields__) & names:
        assert getattr(row, name) == getattr(exotic, name), name
        names.remove(name)
    assert str(row.prompt_usd) == str(exotic.prompt_usd)
    assert (row.prompt_tokens, row.is_byok, row.lookups) == (2**40, True, None)
    assert row.created_at.utcoffset() == timedelta(0)
    stored = await _rows(database, select(usage, usage_metadata).join_from(usage, usage_metadata))
    copy = {column.name: value for column, value in zip((*usage.c, *usage_metadata.c), stored[0], strict=True)}
    await database.write(lambda connection: _store_by_types(connection, {**copy, "id": "r2"}))
    both = (
        await _rows(database, "SELECT * FROM usage ORDER BY id"),
        await _rows(database, "SELECT * FROM usage_metadata"),
    )
    for one, other in both:
        assert tuple(one)[1:] == tuple(other)[1:]
        assert [type(value) for value in one] == [type(value) for value in other]


def _store_by_types(connection, values: dict) -> None:
    for table in (usage, usage_metadata):
        connection.execute(table.insert(), {name: values[name] for name in table.c.keys()})  # noqa: SIM118


async def _leased(database: Database) -> dict[tuple[str, str], int]:
    columns = (leases.c.worker_id, leases.c.budget_id, leases.c.amount_microdollars)
    return {(worker, budget): amount for worker, budget, amount in await _rows(database, select(*columns))}


async def _rows(database: Database, statement) -> list:
    def work(connection) -> list:
        run = connection.exec_driver_sql if isinstance(statement, str) else connection.execute
        return run(statement).all()

    return await database.read(work)
