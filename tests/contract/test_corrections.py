"""Estimates: found again, looked up in vain, corrected once."""

from datetime import timedelta

import pytest
from sqlalchemy import Connection, event, select

from contract.scenario import ACME, ANN, START, Clock, a_hold, day_of_ann, outcome, record, top_up
from tollway.billing.ledger import ABSORBED, REVENUE, Basis, Correction, Outcome
from tollway.billing.store import LOOKUPS_MAX, UncertainRow
from tollway.money import MICRODOLLARS_MAX, MoneyOverflowError
from tollway.storage.sql import corrections
from tollway.storage.sql.billing import SqlBooks
from tollway.storage.sql.database import Database
from tollway.storage.sql.packed import pack
from tollway.storage.sql.tables import ledger_entries
from tollway.storage.sql.usage import SqlUsage

LATER = START + timedelta(hours=1)
HERE = ("openrouter",)


@pytest.mark.parametrize(
    ("correction", "entries"),
    [
        (Correction(20, 3), {("correction", ACME.id, REVENUE, 20), ("absorbed_correction", ABSORBED, REVENUE, 3)}),
        (Correction(-150, -9), {("correction", REVENUE, ACME.id, 150), ("absorbed_correction", REVENUE, ABSORBED, 9)}),
        (
            Correction(-150, 141),
            {("correction", REVENUE, ACME.id, 150), ("absorbed_correction", ABSORBED, REVENUE, 141)},
        ),
        (Correction(0, 0), set()),
    ],
)
async def test_a_correction_is_written_once_beside_the_original(
    database: Database, books: SqlBooks, clock: Clock, correction: Correction, entries: set
) -> None:
    await top_up(database, ACME, 1000)
    refs = (ACME, day_of_ann(500))
    await books.settle("w1", [outcome(a_hold("r1", 0, *refs), 150, 9, basis=Basis.ESTIMATED)])
    clock.advance(minutes=5)
    assert await books.correct("r1", correction)
    for again in (correction, Correction(1, 1)):
        assert not await books.correct("r1", again)
    assert [await books.balance(ref) for ref in refs] == [850 - correction.charge, 350 - correction.charge]
    row = await SqlUsage(database).find("r1")
    assert row is not None
    assert (row.cost_microdollars, row.absorbed_microdollars, row.basis) == (150, 9, "estimated")
    assert (row.corrected_microdollars, row.corrected_absorbed_microdollars) == (correction.charge, correction.absorbed)
    assert row.reconciled_at == clock.now
    found = await _entries(database)
    assert found - {("charge", ACME.id, REVENUE, 150), ("absorbed", ABSORBED, REVENUE, 9)} == entries


@pytest.mark.parametrize("correction", [Correction(-151, 0), Correction(0, -10)])
async def test_a_correction_takes_back_no_more_than_was_booked(
    database: Database, books: SqlBooks, correction: Correction
) -> None:
    await books.settle("w1", [outcome(a_hold("r1", 0, ACME), 150, 9, basis=Basis.ESTIMATED)])
    with pytest.raises(ValueError, match="more than was booked"):
        await books.correct("r1", correction)
    assert await books.balance(ACME) == -150
    assert len(await _entries(database)) == 2


async def test_what_was_never_settled_is_not_corrected(books: SqlBooks) -> None:
    assert not await books.correct("r1", Correction(5, 0))


async def test_a_correction_beyond_64_bits_is_refused_whole(database: Database, books: SqlBooks) -> None:
    await books.settle("w1", [outcome(a_hold("r1", 0), MICRODOLLARS_MAX - 5, basis=Basis.ESTIMATED)])
    with pytest.raises(MoneyOverflowError):
        await books.correct("r1", Correction(6, 0))
    row = await SqlUsage(database).find("r1")
    assert row is not None
    assert row.reconciled_at is None
    assert await books.correct("r1", Correction(5, 0))


async def test_uncertain_rows_are_found_oldest_first(books: SqlBooks) -> None:
    await books.settle(
        "w1",
        [
            _estimate("r1", minutes=3),
            _estimate("r2", minutes=1, basis=Basis.INTERRUPTED),
            _estimate("r3", minutes=2, basis=Basis.REPORTED),
            _estimate("r4", minutes=2, basis=Basis.ABSORBED, absorbed=5),
            _estimate("r5", minutes=2, basis=Basis.FREE),
            _estimate("r6", minutes=2, basis=Basis.BYOK),
            _estimate("r7", minutes=2, message_id=None),
            _estimate("r8", minutes=3),
            _estimate("r9", minutes=60),
        ],
    )
    assert [row.id for row in await books.uncertain(LATER, 100, HERE)] == ["r2", "r1", "r8"]
    assert [row.id for row in await books.uncertain(LATER, 2, HERE)] == ["r2", "r1"]
    await books.correct("r1", Correction(0, 0))
    assert [row.id for row in await books.uncertain(LATER, 100, HERE)] == ["r2", "r8"]
    for lookups in range(LOOKUPS_MAX):
        assert [row.lookups for row in await books.uncertain(LATER, 100, HERE)] == [lookups, 0]
        await books.note_lookup_failed("r2")
    assert [row.id for row in await books.uncertain(LATER, 100, HERE)] == ["r8"]
    await books.note_lookup_failed("r2")
    await books.note_lookup_failed("r3")
    assert await books.correct("r2", Correction(0, 0))  # known after all


async def test_what_an_upstream_refuses_to_tell_is_not_uncertain_any_more(database: Database, books: SqlBooks) -> None:
    """Nor does a row of which nothing was to be looked up become one of which something was."""
    reported = _estimate("r3", minutes=2, basis=Basis.REPORTED)
    await books.settle("w1", [_estimate("r1", minutes=1), _estimate("r2", minutes=2), reported])
    await books.note_lookup_failed("r2")
    for id_ in ("r2", "r3", "r4"):
        await books.note_lookup_failed(id_, is_refused=True)
    await books.note_lookup_failed("r2", is_refused=True)
    assert [row.id for row in await books.uncertain(LATER, 100, HERE)] == ["r1"]
    assert await books.find_uncertain("r2") is None
    rows = [await SqlUsage(database).find(id_) for id_ in ("r1", "r2", "r3")]
    assert [row and row.lookups for row in rows] == [0, LOOKUPS_MAX, None]
    assert await books.correct("r2", Correction(0, 0))  # by hand it still can be


async def test_what_was_absorbed_unseen_is_uncertain_too(books: SqlBooks) -> None:
    """Nobody has said what the upstream bills for it; where it did, nothing is uncertain."""
    await books.settle(
        "w1",
        [
            _estimate("r1", minutes=1, basis=Basis.ABSORBED),
            _estimate("r2", minutes=1, basis=Basis.ABSORBED, absorbed=3),
            _estimate("r3", minutes=1, basis=Basis.ABSORBED, reported_cost=0),
            _estimate("r4", minutes=1, basis=Basis.ABSORBED, message_id=None),
        ],
    )
    assert [row.id for row in await books.uncertain(LATER, 100, HERE)] == ["r1"]
    assert await books.correct("r1", Correction(0, 12))
    assert await books.uncertain(LATER, 100, HERE) == ()


async def test_only_those_are_found_whose_provider_can_be_asked(books: SqlBooks) -> None:
    """However many wait whom nobody can be asked about: they never stand in the way of the others."""
    elsewhere = [_estimate(f"r{number}", minutes=1, provider_id="other") for number in range(5)]
    await books.settle("w1", [*elsewhere, _estimate("r9", minutes=2), _estimate("r8", minutes=3, provider_id="third")])
    assert [row.id for row in await books.uncertain(LATER, 2, HERE)] == ["r9"]
    assert [row.id for row in await books.uncertain(LATER, 9, ("third", "openrouter"))] == ["r9", "r8"]
    assert await books.uncertain(LATER, 9, ()) == ()
    assert [await books.unasked(of) for of in (HERE, ("other", "third"), (), ("other", "openrouter", "third"))] == [
        6,
        1,
        7,
        0,
    ]
    await books.correct("r0", Correction(0, 0))
    assert await books.unasked(HERE) == 5


async def test_an_uncertain_row_tells_what_is_known(books: SqlBooks) -> None:
    hold = a_hold("r1", 300, ANN, worst_case=400)
    estimate = outcome(hold, 150, 25, market_cost=175, basis=Basis.ESTIMATED, record=record(cancelled=True))
    await books.settle("w1", [estimate])
    (row,) = await books.uncertain(LATER, 100, HERE)
    assert row == UncertainRow(
        id="r1",
        provider_id="openrouter",
        message_id="gen-1",
        upstream_model="vendor/model-2026",
        basis=Basis.ESTIMATED,
        charge=150,
        absorbed=25,
        market_cost=175,
        worst_case=400,
        price_version="openrouter/vendor/model@2026-01-01",
        prompt_usd=record().prompt_usd,
        completion_usd=record().completion_usd,
        prompt_tokens=1000,
        completion_tokens=200,
        prompt_tokens_max=1500,
        completion_tokens_max=4096,
        status_code=200,
        finish_reason="stop",
        has_error=False,
        cancelled=True,
        lookups=0,
        created_at=START,
        latency_ms=1234,
    )
    assert isinstance(row.basis, Basis)
    assert await books.find_uncertain("r1") == row
    assert await books.find_uncertain("r2") is None
    await books.correct("r1", Correction(0, 0))
    assert await books.find_uncertain("r1") is None


async def test_the_search_for_uncertain_rows_reads_only_them(database: Database) -> None:
    """It runs every minute, for ever: it must not read all usage."""
    explain = "EXPLAIN QUERY PLAN " if database.dialect == "sqlite" else "EXPLAIN "

    def plan(connection: Connection) -> str:
        if database.dialect == "postgresql":
            connection.exec_driver_sql("SET LOCAL enable_seqscan = off")  # which is faster while the table is empty

        @event.listens_for(connection, "before_cursor_execute", retval=True)
        def prefix(_: object, __: object, statement: str, parameters: object, *___: object) -> tuple[str, object]:
            return explain + statement, parameters

        return str(
            connection.execute(
                corrections._FIND, {"before": LATER, "most": 5, "providers": pack(HERE)}
            ).cursor.fetchall()
        )

    assert "ix_usage_uncertain" in await database.read(plan)


def _estimate(
    request_id: str,
    *,
    minutes: int,
    basis: Basis = Basis.ESTIMATED,
    absorbed: int = 0,
    reported_cost: int | None = None,
    **told: object,
) -> Outcome:
    """Something that cost 5 µ$ unless it was absorbed. `told` changes the record."""
    made = record(created_at=START + timedelta(minutes=minutes), **told)
    charge = 0 if basis is Basis.ABSORBED else 5
    return outcome(a_hold(request_id, 0), charge, absorbed, basis=basis, reported_cost=reported_cost, record=made)


async def _entries(database: Database) -> set:
    columns = (
        ledger_entries.c.kind,
        ledger_entries.c.debit_account,
        ledger_entries.c.credit_account,
        ledger_entries.c.amount_microdollars,
    )
    statement = select(*columns).where(ledger_entries.c.source_id == "r1")
    return {tuple(row) for row in await database.read(lambda connection: connection.execute(statement).all())}
