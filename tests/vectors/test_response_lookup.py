"""Vectors of response-path §16.3: what the record of an answer changes, and how it is asked for."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from contract.scenario import ANN, a_hold, outcome, record, top_up
from tollway.billing.cost import reported_cost
from tollway.billing.ledger import Basis
from tollway.catalog.model import Price
from tollway.clock import utc_now
from tollway.gateway.lookups import look_up
from tollway.money import Microdollars
from tollway.providers.registry import configured
from tollway.settings import parse
from tollway.storage.migrations.run import migrate
from tollway.storage.sql.billing import SqlBooks
from tollway.storage.sql.database import open_database
from tollway.storage.sql.usage import SqlUsage, UsageRow
from tollway.wire.generation import read_generation
from unit.gateway.fake_lookups import FakeCorrections, FakeFetch, row, run, told, upstream
from unit.gateway.fakes import PRICE
from unit.gateway.test_early_lookups import BUSY, LATER, OFFSETS_MS, RESET, World

DEAR = Microdollars(2_000_000)


@pytest.mark.parametrize(
    ("inference_cost", "warns"),
    [pytest.param(2.0, False, id="response:V31"), pytest.param(None, True, id="response:V32")],
)
def test_which_cost_counts_for_an_own_key(inference_cost: float | None, warns: bool) -> None:
    answer = told(0.1, is_byok=True, upstream_inference_cost=inference_cost)
    assert isinstance(answer, tuple)
    found = read_generation(answer[1])
    assert found
    assert reported_cost(found.usage) == 2_000_000
    corrections = FakeCorrections(row(1, worst_case=DEAR))
    with capture_logs() as lines:
        assert run(corrections, FakeFetch({"m1": answer})).amount == 2_000_000 - 100
    assert [line["log_level"] for line in lines] == ["warning"] * warns


@pytest.mark.parametrize("model", [pytest.param("openai/gpt-4.1", id="response:V33")])
def test_model_and_error_stay_those_of_the_stream(tmp_path: Path, model: str) -> None:
    """Its error event came after some output, so it was charged by estimate until the record was known."""
    found: list[UsageRow | None] = []

    async def scenario() -> None:
        database = open_database(url)
        books = SqlBooks(database)
        await books.enlist("w1", "node")
        await top_up(database, ANN, 1_000)
        broken = record(model=model, has_error=True, finish_reason=None, provider_id="sim", price_version="test/1")
        hold = a_hold("r1", 0, worst_case=1_000)
        await books.settle("w1", [outcome(hold, 100, basis=Basis.INTERRUPTED, record=broken)])
        answer = told(0.00015, model="another/model", cancelled=False, finish_reason="stop")
        fetch = FakeFetch({"gen-1": answer})

        async def find_price(_: str) -> Price:
            return PRICE

        assert (await look_up(books, {"sim": upstream()}, find_price, fetch, utc_now())).corrected == 1
        found.append(await SqlUsage(database).find("r1"))
        await database.close()

    url = f"sqlite:///{tmp_path}/tollway.db"
    migrate(url)
    asyncio.run(scenario())
    (stored,) = found
    assert stored
    assert (stored.model, stored.has_error, stored.finish_reason) == (model, True, None)
    assert stored.cost_microdollars + stored.corrected_microdollars == 150


@pytest.mark.parametrize("message_id", [pytest.param("a/b?c", id="response:V35")])
def test_the_message_id_in_the_address(message_id: str) -> None:
    settings = parse({"providers": {"openrouter": {"api_key": "sk-or-not-a-real-key"}}})
    fetch = FakeFetch({"a%2Fb%3Fc": told()})
    corrections = FakeCorrections(row(1, provider_id="openrouter", message_id=message_id))
    assert run(corrections, fetch, *configured(settings).values()).corrected == 1
    (head,) = fetch.heads
    assert head.split(b" ")[:2] == [b"GET", b"/api/v1/generation?id=a%2Fb%3Fc"]


# When it is asked: by the worker that served the answer, from its end on. The clock is moved by sleeping alone; through
# the running program they are in tests/flow/test_lookups.py.


@pytest.mark.parametrize(
    "status",
    [
        pytest.param(401, id="response:V25"),
        *(pytest.param(status, id=f"response:V26-{status}") for status in (400, 402, 403, 422)),
    ],
)
def test_a_refusal_is_not_asked_again(status: int) -> None:
    """The numbers of the stream are kept."""
    world = World([(status, b"")]).look()
    assert (len(world.asked), world.corrections.corrected) == (1, {})


@pytest.mark.parametrize(
    ("answers", "corrected", "times_ms"),
    [
        pytest.param([LATER, LATER, told()], True, (200, 400, 700), id="response:V27"),
        pytest.param([BUSY], False, tuple(200 + at for at in OFFSETS_MS), id="response:V28"),
        pytest.param([RESET, told()], True, (200, 400), id="response:V29"),
    ],
)
def test_what_is_not_there_yet_is_asked_again(answers: list[Any], corrected: bool, times_ms: tuple[float, ...]) -> None:
    """Milliseconds after the body's end; nobody sleeps after the last."""
    world = World(answers).look()
    assert world.times_ms == pytest.approx(times_ms, abs=0.1)
    assert (world.now - 1_000) * 1_000 == pytest.approx(times_ms[-1], abs=0.1)
    assert ("r1" in world.corrections.corrected) is corrected


@pytest.mark.parametrize("discount", [pytest.param(-25076, id="response:V30")])
def test_what_the_record_says(discount: int) -> None:
    found = read_generation(
        b'{"data":{"id":"gen-9","is_byok":false,"total_cost":0.12915825,"cache_discount":-0.02507625,'
        b'"native_tokens_prompt":33439,"native_tokens_completion":251}}'
    )
    assert found
    usage = found.usage
    assert (usage.prompt_tokens, usage.completion_tokens, usage.cached_tokens) == (33439, 251, 0)
    assert (reported_cost(usage), found.cache_discount) == (129158, discount)


@pytest.mark.parametrize(
    "provider", [pytest.param(name, id=f"response:V34-{name}") for name in ("gigapotato", "custom")]
)
def test_who_does_not_tell_is_not_asked(provider: str) -> None:
    settings = parse(
        {
            "providers": {
                "gigapotato": {"api_key": "k", "base_url": "http://up.example/v1"},
                "custom": {"kind": "compatible", "base_url": "http://own.example/v1", "api_key": "k"},
            }
        }
    )
    corrections, fetch = FakeCorrections(row(1, provider_id=provider)), FakeFetch({})
    assert run(corrections, fetch, *configured(settings).values()).unasked == 1
    assert fetch.heads == []
