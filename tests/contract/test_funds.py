"""Holds, settlements and releases, one at a time."""

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
from tollway.billing.ledger import (
    ABSORBED,
    REVENUE,
    Basis,
    BudgetRef,
    Hold,
    HoldPolicy,
    HoldRefused,
    Receipt,
)
from tollway.money import MICRODOLLARS_MAX, MoneyOverflowError
from tollway.storage.sql.database import Database
from tollway.storage.sql.funds import RequestSettledError, SqlFunds
from tollway.storage.sql.tables import holds, ledger_entries, usage, usage_metadata


async def test_an_empty_account_is_refused(funds: SqlFunds) -> None:
    assert await funds.hold(order("r1", 10)) == HoldRefused(ANN, 0)
    assert await funds.balance(ANN) == 0


async def test_a_hold_takes_the_worst_case_and_a_close_gives_back_the_rest(database: Database, funds: SqlFunds) -> None:
    await top_up(database, ANN, 1000)
    hold = await funds.hold(order("r1", 400))
    assert hold == a_hold("r1", 400)
    assert await funds.balance(ANN) == 600
    assert await funds.close(outcome(hold, 150)) == Receipt("r1", 150, 850, repeated=False)
    assert await funds.balance(ANN) == 850


async def test_a_partial_hold_takes_what_is_left_and_the_next_is_refused(database: Database, funds: SqlFunds) -> None:
    await top_up(database, ANN, 1000)
    assert await funds.hold(order("r1", 1500)) == a_hold("r1", 1000)
    assert await funds.hold(order("r2", 1)) == HoldRefused(ANN, 0)


async def test_a_strict_hold_must_fit_whole(database: Database, funds: SqlFunds) -> None:
    await top_up(database, ANN, 1000)
    assert await funds.hold(order("r1", 1001, policy=HoldPolicy.STRICT)) == HoldRefused(ANN, 1000)
    assert await funds.hold(order("r1", 1000, policy=HoldPolicy.STRICT)) == a_hold("r1", 1000)


async def test_a_free_request_needs_no_money(funds: SqlFunds) -> None:
    hold = await funds.hold(order("r1", 0))
    assert hold == a_hold("r1", 0)
    assert await funds.close(outcome(hold, 0, basis=Basis.FREE)) == Receipt("r1", 0, 0, repeated=False)


async def test_a_charge_beyond_the_hold_may_overdraw_once(database: Database, funds: SqlFunds) -> None:
    await top_up(database, ANN, 100)
    hold = await funds.hold(order("r1", 500))
    assert await funds.close(outcome(hold, 130)) == Receipt("r1", 130, -30, repeated=False)
    assert await funds.hold(order("r2", 1)) == HoldRefused(ANN, -30)


async def test_the_same_request_holds_once(database: Database, funds: SqlFunds) -> None:
    await top_up(database, ANN, 1000)
    first = await funds.hold(order("r1", 400))
    assert await funds.hold(order("r1", 999)) == first
    assert await funds.balance(ANN) == 600


async def test_the_same_request_cannot_hold_other_money(database: Database, funds: SqlFunds) -> None:
    await top_up(database, ANN, 1000)
    await top_up(database, BOB, 1000)
    hold = await funds.hold(order("r1", 400))
    with pytest.raises(ValueError, match="other budgets"):
        await funds.hold(order("r1", 400, BOB))
    with pytest.raises(ValueError, match="other budgets"):
        await funds.close(outcome(a_hold("r1", 400, BOB), 10))
    await funds.release(hold)


async def test_a_settled_request_never_holds_again(database: Database, funds: SqlFunds) -> None:
    await top_up(database, ANN, 1000)
    hold = await funds.hold(order("r1", 400))
    await funds.close(outcome(hold, 0, 40, basis=Basis.ABSORBED))
    with pytest.raises(RequestSettledError):
        await funds.hold(order("r1", 400))


async def test_closing_again_gives_the_stored_receipt(database: Database, funds: SqlFunds) -> None:
    await top_up(database, ANN, 1000)
    hold = await funds.hold(order("r1", 400))
    await funds.close(outcome(hold, 150))
    assert await funds.close(outcome(hold, 399)) == Receipt("r1", 150, 850, repeated=True)
    assert await funds.balance(ANN) == 850


async def test_releasing_ends_a_hold_once(database: Database, funds: SqlFunds) -> None:
    await top_up(database, ANN, 1000)
    hold = await funds.hold(order("r1", 400))
    await funds.release(hold)
    await funds.release(hold)
    assert await funds.balance(ANN) == 1000


async def test_releasing_after_closing_changes_nothing(database: Database, funds: SqlFunds) -> None:
    await top_up(database, ANN, 1000)
    hold = await funds.hold(order("r1", 400))
    await funds.close(outcome(hold, 150))
    await funds.release(hold)
    assert await funds.balance(ANN) == 850


async def test_holds_end_at_their_time_and_not_before(database: Database, funds: SqlFunds, clock: Clock) -> None:
    await top_up(database, ANN, 1000)
    await funds.hold(order("r1", 100))
    await funds.hold(order("r2", 200, expires_at=START + timedelta(minutes=40)))
    clock.advance(minutes=35, microseconds=-1)
    assert await funds.expire_holds() == 0
    clock.advance(microseconds=1)
    assert await funds.expire_holds() == 1
    assert await funds.balance(ANN) == 800
    assert await funds.expire_holds() == 0


async def test_many_holds_expire_together(database: Database, funds: SqlFunds, clock: Clock) -> None:
    await top_up(database, ANN, 10_000)
    await top_up(database, ACME, 10_000)
    for number in range(120):
        refs = (ACME, day_of_ann(9_000)) if number % 2 else (ANN,)
        await funds.hold(order(f"r{number}", 10, *refs))
    clock.advance(days=1)
    assert await funds.expire_holds() == 120
    assert await funds.balance(ANN) == await funds.balance(ACME) == 10_000


async def test_an_expired_request_is_still_charged(database: Database, funds: SqlFunds, clock: Clock) -> None:
    await top_up(database, ANN, 1000)
    late = await funds.hold(order("r1", 400))
    clock.advance(hours=1)
    await funds.expire_holds()
    other = await funds.hold(order("r2", 300, expires_at=START + timedelta(hours=2)))
    assert await funds.close(outcome(late, 150)) == Receipt("r1", 150, 850, repeated=False)
    assert await funds.balance(ANN) == 550  # the other hold is untouched
    assert (await funds.close(outcome(late, 150))).repeated
    await funds.release(other)


async def test_all_budgets_hold_or_none(database: Database, funds: SqlFunds) -> None:
    await top_up(database, ACME, 1000)
    refs = (ACME, day_of_ann(500), key_of_ann(300))
    assert await funds.hold(order("r1", 400, *refs)) == a_hold("r1", 300, *refs)
    assert [await funds.balance(ref) for ref in refs] == [700, 200, 0]
    assert await funds.hold(order("r2", 1, *refs)) == HoldRefused(refs[2], 0)
    assert [await funds.balance(ref) for ref in refs] == [700, 200, 0]


async def test_every_budget_counts_the_charge(database: Database, funds: SqlFunds) -> None:
    await top_up(database, ACME, 1000)
    refs = (ACME, day_of_ann(500), key_of_ann(300))
    hold = await funds.hold(order("r1", 200, *refs))
    await funds.close(outcome(hold, 120))
    assert [await funds.balance(ref) for ref in refs] == [880, 380, 180]


async def test_a_lower_limit_acts_at_once(database: Database, funds: SqlFunds) -> None:
    await top_up(database, ACME, 1000)
    hold = await funds.hold(order("r1", 200, ACME, day_of_ann(500)))
    await funds.close(outcome(hold, 200))
    assert await funds.hold(order("r2", 10, ACME, day_of_ann(200))) == HoldRefused(day_of_ann(200), 0)
    assert isinstance(await funds.hold(order("r3", 10, ACME, day_of_ann(201))), Hold)


async def test_a_limit_of_nothing_refuses_and_no_limit_does_not(database: Database, funds: SqlFunds) -> None:
    await top_up(database, ACME, 1000)
    assert await funds.hold(order("r1", 10, ACME, day_of_ann(0))) == HoldRefused(day_of_ann(0), 0)
    assert await funds.balance(key_of_ann(None)) == MICRODOLLARS_MAX
    assert isinstance(await funds.hold(order("r2", 10, ACME, key_of_ann(None))), Hold)
    assert await funds.balance(key_of_ann(None)) == MICRODOLLARS_MAX
    assert await funds.balance(key_of_ann(15)) == 5


async def test_amounts_beyond_64_bits_are_refused_whole(database: Database, funds: SqlFunds) -> None:
    await top_up(database, ANN, 1000)
    first = await funds.hold(order("r1", 400))
    await funds.close(outcome(first, MICRODOLLARS_MAX))
    second = a_hold("r2", 0)
    with pytest.raises(MoneyOverflowError):
        await funds.close(outcome(second, 1))
    with pytest.raises(MoneyOverflowError):
        await top_up(database, ANN, MICRODOLLARS_MAX, "second")
    assert await _rows(database, select(usage.c.id)) == [("r1",)]


async def test_a_settlement_writes_everything_down(database: Database, funds: SqlFunds, clock: Clock) -> None:
    await top_up(database, ANN, 1000)
    hold = await funds.hold(order("r1", 400))
    clock.advance(seconds=5)
    await funds.close(outcome(hold, 150, 25, market_cost=175, list_cost=174, reported_cost=175))

    entries = select(
        ledger_entries.c.kind,
        ledger_entries.c.debit_account,
        ledger_entries.c.credit_account,
        ledger_entries.c.amount_microdollars,
        ledger_entries.c.created_at,
    ).where(ledger_entries.c.request_id == "r1")
    assert sorted(await _rows(database, entries)) == [
        ("absorbed", ABSORBED, REVENUE, 25, clock.now),
        ("charge", "user:ann", REVENUE, 150, clock.now),
    ]
    (row,) = await _rows(database, select(*usage.c))
    assert row._mapping == {
        "id": "r1",
        "user_id": "ann",
        "organization_id": None,
        "key_id": "k1",
        "provider_id": "openrouter",
        "requested_model": "Vendor/Model",
        "model": "vendor/model",
        "upstream_model": "vendor/model-2026",
        "inference_provider": "Vendor",
        "prompt_tokens": 1000,
        "completion_tokens": 200,
        "cached_tokens": 600,
        "cache_write_tokens": 0,
        "reasoning_tokens": 50,
        "basis": "reported",
        "cost_microdollars": 150,
        "absorbed_microdollars": 25,
        "market_cost_microdollars": 175,
        "list_cost_microdollars": 174,
        "reported_cost_microdollars": 175,
        "hold_microdollars": 400,
        "price_version": "openrouter/vendor/model@2026-01-01",
        "prompt_usd": record().prompt_usd,
        "completion_usd": record().completion_usd,
        "has_error": False,
        "abuse_classification": 0,
        "usage_day": DAY,
        "budgets": ("user:ann",),
        "created_at": START,
    }
    (row,) = await _rows(database, select(*usage_metadata.c))
    assert row._mapping == {
        "id": "r1",
        "message_id": "gen-1",
        "status_code": 200,
        "streamed": True,
        "cancelled": False,
        "finish_reason": "stop",
        "is_byok": None,
        "attempts": 1,
        "latency_ms": 1234,
        "created_at": START,
    }
    assert await _rows(database, select(holds.c.request_id)) == []


async def test_budgets_need_no_order(database: Database, funds: SqlFunds) -> None:
    await top_up(database, ACME, 1000)
    refs: tuple[BudgetRef, ...] = (ACME, key_of_ann(300), day_of_ann(500))
    hold = await funds.hold(order("r1", 100, *refs))
    assert hold == a_hold("r1", 100, *refs)
    await funds.release(hold)


async def _rows(database: Database, statement) -> list:
    return await database.read(lambda connection: connection.execute(statement).all())
