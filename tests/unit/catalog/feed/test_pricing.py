from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from tollway.catalog.feed.pricing import PROVIDER, synced_prices, unpriced
from unit.catalog.feed.test_guards import BEFORE, ID, repriced

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
MODELS = BEFORE.openrouter or {}


def test_every_priced_model_gets_a_dated_price() -> None:
    rows = synced_prices(MODELS, (), NOW)
    assert len(rows) == len(MODELS)
    row = rows[0]
    assert (row.provider_id, row.upstream_model, row.model_id, row.context_length) == (PROVIDER, ID, ID, 128_000)
    assert (row.price.prompt_usd, row.price.completion_usd) == (Decimal("0.000002"), Decimal("0.000008"))
    assert (row.price.cached_usd, row.price.effective_from, row.checked) == (None, NOW, NOW.date())
    assert len({one.price.version for one in rows}) == len(rows)


def test_what_is_in_force_already_is_not_added_again() -> None:
    rows = synced_prices(MODELS, (), NOW)
    later = NOW + timedelta(minutes=10)
    assert synced_prices(MODELS, rows, later) == ()
    (row,) = synced_prices(repriced(prompt="0.0000020001").openrouter or {}, rows, later)
    assert row.price.effective_from == later
    (back,) = synced_prices(MODELS, (*rows[1:], row), later + timedelta(minutes=10))
    assert back.price.version not in {row.price.version, *(one.price.version for one in rows)}


def test_a_price_of_another_provider_is_no_price_here() -> None:
    rows = synced_prices(MODELS, (), NOW)
    others = [replace(row, provider_id="openai") for row in rows]
    assert len(synced_prices(MODELS, others, NOW)) == len(rows)


def test_what_varies_has_no_price() -> None:
    models = repriced(prompt="-1").openrouter or {}
    assert ID not in {row.model_id for row in synced_prices(models, (), NOW)}
    assert unpriced(models) == {ID}
    assert unpriced(MODELS) == frozenset()
