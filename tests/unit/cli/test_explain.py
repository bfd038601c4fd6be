import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from contract.scenario import ACME, ANN, START, a_hold, day_of_ann, key_of_ann, outcome, record, top_up
from tollway.billing.ledger import Basis, Correction
from tollway.catalog.model import Price
from tollway.catalog.store import PriceRow
from tollway.storage.sql.billing import SqlBooks
from tollway.storage.sql.catalog import SqlPrices
from tollway.storage.sql.database import Database, open_database
from tollway.wire.usage import NO_USAGE, Usage

PRICE = Price(
    version=record().price_version,
    effective_from=START - timedelta(days=59),
    prompt_usd=Decimal("0.000000125"),
    completion_usd=Decimal("0.0000150"),
    cached_usd=Decimal("0.00000005"),
    request_usd=Decimal("0.0000005"),
)
ROW = PriceRow(
    "openrouter", "vendor/model-2026", "vendor/model", "Model", None, PRICE, "https://example.com", date(2026, 1, 1)
)
# 1,000 prompt tokens, 600 of them cached, and 200 completion tokens: 3,080.5 µ$, rounded half up
REPORTED = outcome(a_hold("r1", 5_000), 3_081, list_cost=3_081, reported_cost=3_080)


def write(folder: Path, *works: Callable[[Database, SqlBooks], Awaitable[object]]) -> None:
    """Work on the database of the commands."""

    async def all_of_it() -> None:
        database = open_database(f"sqlite:///{folder}/tollway.db")
        try:
            books = SqlBooks(database, lambda: START)
            await books.enlist("w1", "node")
            await top_up(database, ANN, 10_000)
            await top_up(database, ACME, 10_000)
            await SqlPrices(database).add([ROW])
            for work in works:
                await work(database, books)
        finally:
            await database.close()

    asyncio.run(all_of_it())


def settled(*outcomes: Any) -> Callable[[Database, SqlBooks], Awaitable[object]]:
    return lambda _, books: books.settle("w1", outcomes)


def corrected(request_id: str, charge: int, absorbed: int) -> Callable[[Database, SqlBooks], Awaitable[object]]:
    return lambda database, _: SqlBooks(database, lambda: START + timedelta(minutes=1)).correct(
        request_id, Correction(charge, absorbed)
    )


def test_one_request_from_the_route_to_the_entries(run, tmp_path: Path) -> None:
    write(tmp_path, settled(REPORTED))
    ended = run("explain", "r1")
    assert (ended.code, ended.err) == (0, "")
    assert (
        ended.out
        == """\
Request     r1, 2026-03-01 12:00:00 UTC, 1234 ms
Caller      user ann, key k1; paid from user:ann
Model       asked for Vendor/Model; vendor/model-2026 at openrouter; answered vendor/model
Rule        not stored
Route       1. openrouter/vendor/model-2026
            2. other/model é
Attempts    1. other:503
            2. openrouter:200
Answer      status 200, streamed, finish reason stop, served by Vendor; the upstream calls it gen-1
Tokens      1000 prompt (600 cached, 0 written to the cache), 200 completion (50 reasoning)
Price       openrouter/vendor/model@2026-01-01, in force since 2026-01-01
Arithmetic  400 prompt × $0.000000125 = $0.000050000
            600 cached × $0.00000005 = $0.00003000
            200 completion × $0.0000150 = $0.0030000
            1 request × $0.0000005 = $0.0000005
            sum $0.003080500, rounded half up: list cost $0.003081
Reported    $0.003080
Hold        $0.005000 of a worst case of $0.005000 (at most 1500 prompt and 4096 completion tokens)
Charge      $0.003081 (reported: the upstream reported it)
Entries     charge: $0.003081 from user:ann to system:revenue
"""
    )


def test_the_arithmetic_can_be_done_again_from_the_json(run, tmp_path: Path) -> None:
    write(tmp_path, settled(REPORTED))
    found = run("explain", "r1", "--json").json
    lines = found["arithmetic"]
    assert [(line["what"], line["count"]) for line in lines] == [
        ("prompt", 400),
        ("cached", 600),
        ("completion", 200),
        ("request", 1),
    ]
    for line in lines:
        assert line["count"] * Decimal(line["price_usd"]) == Decimal(line["worth_usd"])
    assert sum(Decimal(line["worth_usd"]) for line in lines) == Decimal("0.0030805")
    assert Decimal(found["list_cost_usd"]) == Decimal("0.003081")
    assert found["price"] == {
        "version": "openrouter/vendor/model@2026-01-01",
        "effective_from": "2026-01-01T12:00:00Z",
        "prompt_usd": "0.000000125",
        "completion_usd": "0.0000150",
        "cached_usd": "0.00000005",
        "cache_write_usd": None,
        "request_usd": "0.0000005",
        "image_usd": "0",
    }
    assert found["entries"] == [
        {
            "kind": "charge",
            "debit": "user:ann",
            "credit": "system:revenue",
            "amount_microdollars": 3081,
            "created_at": "2026-03-01T12:00:00Z",
        }
    ]
    request = found["request"]
    assert (request["id"], request["usage_day"], request["route"]) == (
        "r1",
        "2026-03-01",
        ["openrouter/vendor/model-2026", "other/model é"],
    )
    assert (request["cost_microdollars"], request["hold_microdollars"]) == (3081, 5000)


def test_no_amount_in_the_json_is_a_binary_float(run, tmp_path: Path) -> None:
    write(tmp_path, settled(REPORTED), corrected("r1", -81, 7))

    def refuse(text: str) -> None:
        raise AssertionError(f"{text} is a JSON number with a fraction")

    json.loads(run("explain", "r1", "--json").out, parse_float=refuse)


def test_a_correction_is_told_beside_the_first_charge(run, tmp_path: Path) -> None:
    broken = record(cancelled=True, has_error=True, finish_reason=None, inference_provider=None)
    estimate = outcome(a_hold("r1", 5_000), 3_081, 9, basis=Basis.INTERRUPTED, list_cost=3_081, record=broken)
    write(tmp_path, settled(estimate), corrected("r1", -81, 7))
    out = run("explain", "r1").out
    assert (
        """\
Answer      status 200, streamed, no finish reason, client left, error; the upstream calls it gen-1
"""
        in out
    )
    assert "Reported    no cost\n" in out
    assert (
        """\
Charge      $0.003081 (interrupted: the answer broke off; what had passed until then)
            the operator bears $0.000009
            corrected 2026-03-01 12:01:00 UTC from the upstream's own record: $0.003000, the operator bears $0.000016
Entries     absorbed: $0.000009 from system:absorbed to system:revenue
            charge: $0.003081 from user:ann to system:revenue
            absorbed_correction: $0.000007 from system:absorbed to system:revenue
            correction: $0.000081 from system:revenue to user:ann
"""
        in out
    )


def test_a_failed_request_of_a_member_costs_nothing_and_says_so(run, tmp_path: Path) -> None:
    failed = record(
        organization_id="acme", key_id=None, message_id=None, status_code=0, streamed=False, finish_reason=None,
        inference_provider=None, attempts=(), has_error=True,
    )  # fmt: skip
    refs = (ACME, day_of_ann(500), key_of_ann(300))
    ended = outcome(
        a_hold("r1", 300, *refs, worst_case=400), 0, basis=Basis.ABSORBED, usage=NO_USAGE, list_cost=0, record=failed
    )
    write(tmp_path, settled(ended))
    out = run("explain", "r1").out
    paid_from = "organization:acme, member_day:acme:ann:2026-03-01, key:k1"
    assert f"Caller      user ann, for organization acme; paid from {paid_from}\n" in out
    assert "Attempts    none\n" in out
    assert "Answer      no answer, whole, no finish reason, error; the upstream calls it nothing\n" in out
    assert "Arithmetic  list cost $0.000000\n" in out
    assert "Hold        $0.000300 of a worst case of $0.000400 (at most" in out
    assert "Charge      $0.000000 (absorbed: no answer to pay for; the operator bears what the upstream bills)\n" in out
    assert "Entries     none\n" in out


def test_cached_tokens_without_a_price_of_their_own_cost_as_much_as_others(run, tmp_path: Path) -> None:
    plain = replace(PRICE, version="v2", cached_usd=None, cache_write_usd=Decimal("0.000001"), request_usd=Decimal(0))
    usage = Usage(1000, 200, cached_tokens=600, cache_write_tokens=100)
    written = outcome(a_hold("r1", 0), 1, usage=usage, list_cost=3_213, record=record(price_version="v2"))
    write(tmp_path, lambda database, _: SqlPrices(database).add([replace(ROW, price=plain)]), settled(written))
    out = run("explain", "r1").out
    assert (
        """\
Arithmetic  300 prompt × $0.000000125 = $0.000037500
            600 cached × $0.000000125 = $0.000075000
            100 cache write × $0.000001 = $0.000100
            200 completion × $0.0000150 = $0.0030000
            sum $0.003212500, rounded half up: list cost $0.003213
"""
        in out
    )


def test_a_price_that_is_not_stored_is_said(run, tmp_path: Path) -> None:
    write(tmp_path, settled(outcome(a_hold("r1", 0), 77, record=record(price_version="gone"))))
    out = run("explain", "r1").out
    assert "Price       gone (not stored any more)\nArithmetic  list cost $0.000077\n" in out
    found = run("explain", "r1", "--json").json
    assert (found["price"], found["arithmetic"], found["list_cost_usd"]) == (None, [], "0.000077")


@pytest.mark.parametrize("options", [(), ("--json",)])
def test_an_unknown_request_is_one_line_and_exit_code_1(run, tmp_path: Path, options: tuple[str, ...]) -> None:
    ended = run("explain", "nobody", *options)
    assert (ended.code, ended.out) == (1, "")
    assert ended.err == (
        "tollway: request nobody is not in the books "
        f"(what has just ended may still be in {tmp_path}/journal; "
        "of a refused one the log's line has the code, and the rule as its detail)\n"
    )
