"""The price list as it is seeded: exact, dated, and nothing that could be undercharged."""

from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from fractions import Fraction
from importlib.metadata import version
from typing import Any

import pytest
from genai_prices.data import providers
from genai_prices.types import (
    ClauseEquals,
    ConditionalPrice,
    ModelInfo,
    ModelPrice,
    Provider,
    StartDateConstraint,
    Tier,
    TieredPrices,
    TimeOfDateConstraint,
)

from tollway.catalog.model import Price
from tollway.catalog.seed import SEEDED_PROVIDERS, SeedEntry, price_at, seed_entries

CHECKED = date(2026, 1, 2)


def seeded(provider_id: str, *models: ModelInfo) -> list[SeedEntry]:
    source = ["https://example.com/prices"]
    provider = Provider(id=provider_id, name="P", api_pattern="", pricing_urls=source, models=list(models))
    return seed_entries([provider], "1.2.3", CHECKED)


def model(id_: str, prices: Any = None, **fields: Any) -> ModelInfo:
    plain = ModelPrice(input_mtok=Decimal("0.25"), output_mtok=Decimal(2))
    return ModelInfo(id=id_, match=ClauseEquals(equals=id_), prices=plain if prices is None else prices, **fields)


def from_day(day: date, **prices: Decimal) -> ConditionalPrice:
    return ConditionalPrice(constraint=StartDateConstraint(start_date=day), prices=ModelPrice(**prices))


def test_a_whole_entry() -> None:
    prices = ModelPrice(
        input_mtok=Decimal("0.25"),
        output_mtok=Decimal(2),
        cache_read_mtok=Decimal("0.025"),
        cache_write_mtok=Decimal("0.3125"),
        web_searches_kcount=Decimal(10),
    )
    assert seeded("openai", model("gpt-5-mini", prices, name="GPT-5 mini", context_window=400_000)) == [
        SeedEntry(
            provider_id="openai",
            upstream_model="gpt-5-mini",
            public_id="openai/gpt-5-mini",
            name="GPT-5 mini",
            context_length=400_000,
            price=Price(
                version="genai-prices/1.2.3/openai/gpt-5-mini/1970-01-01",
                effective_from=datetime(1970, 1, 1, tzinfo=UTC),
                prompt_usd=Decimal("0.00000025"),
                completion_usd=Decimal("0.000002"),
                cached_usd=Decimal("0.000000025"),
                cache_write_usd=Decimal("0.0000003125"),
            ),
            source="https://example.com/prices",
            checked=CHECKED,
        )
    ]


def test_what_is_unknown_stays_unknown() -> None:
    (entry,) = seeded("openrouter", model("a/b"))
    assert (entry.public_id, entry.name, entry.context_length) == ("a/b", "a/b", None)
    assert (entry.price.cached_usd, entry.price.cache_write_usd) == (None, None)
    provider = Provider(id="openai", name="P", api_pattern="", models=[model("x")])
    assert seed_entries([provider], "1", CHECKED)[0].source == ""


def test_a_price_is_in_force_from_its_day_on() -> None:
    base = ConditionalPrice(prices=ModelPrice(input_mtok=Decimal(10), output_mtok=Decimal(40)))
    later = from_day(date(2025, 6, 10), input_mtok=Decimal(2), output_mtok=Decimal(8))
    entries = seeded("openai", model("o3", [base, later]))
    day = datetime(2025, 6, 10, tzinfo=UTC)
    assert [entry.price.version.rpartition("/")[2] for entry in entries] == ["1970-01-01", "2025-06-10"]
    assert price_at(entries, day) == price_at(reversed(entries), day) == entries[1]
    assert price_at(entries, day - timedelta(microseconds=1)) == entries[0]
    assert price_at(entries[1:], day - timedelta(microseconds=1)) is None


def test_of_several_prices_that_have_begun_the_last_in_the_list_wins() -> None:
    first = from_day(date(2025, 6, 1), input_mtok=Decimal(1), output_mtok=Decimal(1))
    second = from_day(date(2025, 5, 1), input_mtok=Decimal(2), output_mtok=Decimal(2))
    again = from_day(date(2025, 5, 1), input_mtok=Decimal(3), output_mtok=Decimal(3))
    (entry,) = seeded("openai", model("m", [first, second, again]))
    assert entry.price.prompt_usd == Decimal("0.000003")


def test_a_tiered_price_holds_up_to_its_first_tier() -> None:
    tiers = TieredPrices(base=Decimal(1), tiers=[Tier(start=272_000, price=Decimal(2))])
    lower = TieredPrices(
        base=Decimal(5), tiers=[Tier(start=200_000, price=Decimal(7)), Tier(start=9_000_000, price=Decimal(9))]
    )
    prices = ModelPrice(input_mtok=tiers, output_mtok=lower)
    (entry,) = seeded("openai", model("m", prices, context_window=1_000_000))
    assert (entry.price.prompt_usd, entry.price.completion_usd) == (Decimal("0.000001"), Decimal("0.000005"))
    assert (entry.tiered, entry.context_length) == (True, 200_000)
    (small,) = seeded("openai", model("m", prices, context_window=100_000))
    assert small.context_length == 100_000


FREE_PRICE = ModelPrice()


@pytest.mark.parametrize(
    ("provider_id", "left_out"),
    [
        ("openrouter", model("~openai/gpt-latest")),
        ("openrouter", model("openai/gpt-5:batch")),
        ("openrouter", model("claude-3-sonnet")),
        ("openai", model("ft:gpt-4o")),
        ("openai", model("gpt-4o-mini-2024-07-18.ft-")),
        ("openai", model("moderation", FREE_PRICE)),
        ("openai", model("embedding", ModelPrice(input_mtok=Decimal("0.02")))),
        ("openai", model("whisper", ModelPrice(audio_hours=Decimal("0.36")))),
        ("openai", model("o", ModelPrice(input_mtok=Decimal(1), output_mtok=Decimal(1), input_audio_mtok=Decimal(9)))),
        (
            "openai",
            model(
                "m",
                [
                    ConditionalPrice(
                        constraint=TimeOfDateConstraint(start_time=time(0), end_time=time(8)),
                        prices=ModelPrice(input_mtok=Decimal(1), output_mtok=Decimal(1)),
                    )
                ],
            ),
        ),
        ("anthropic", model("claude")),
    ],
)
def test_what_could_be_undercharged_is_left_out(provider_id: str, left_out: ModelInfo) -> None:
    assert seeded(provider_id, left_out) == []


def test_a_free_model_is_free_only_by_name() -> None:
    (entry,) = seeded("openrouter", model("a/b:free", FREE_PRICE))
    assert entry.price.is_free
    assert seeded("openrouter", model("a/b", FREE_PRICE)) == []


ALL = seed_entries(providers, version("genai-prices"), CHECKED)


def test_the_real_list() -> None:
    assert {entry.provider_id for entry in ALL} == set(SEEDED_PROVIDERS)
    assert len({entry.price.version for entry in ALL}) == len(ALL) > 500
    assert all(entry.source.startswith("https://") for entry in ALL)
    assert all(entry.price.is_free == entry.public_id.endswith(":free") for entry in ALL if entry.price.is_free)
    mini = price_at(
        [entry for entry in ALL if entry.public_id == "openai/gpt-5-mini"], datetime(2026, 1, 1, tzinfo=UTC)
    )
    assert mini is not None
    assert mini.price.prompt_usd == Decimal("0.00000025")


def test_the_real_list_is_what_the_package_itself_reckons_with() -> None:
    """For every seeded model and several days: the same price per million tokens, exactly."""
    models = {(provider.id, model.id): model for provider in providers for model in provider.models}
    by_model: dict[tuple[str, str], list[SeedEntry]] = {}
    for entry in ALL:
        by_model.setdefault((entry.provider_id, entry.upstream_model), []).append(entry)
    for instant in (
        datetime(2024, 1, 1, tzinfo=UTC),
        datetime(2025, 6, 10, tzinfo=UTC),
        datetime(2026, 11, 1, tzinfo=UTC),
    ):
        for key, entries in by_model.items():
            theirs, ours = models[key].get_prices(instant), price_at(entries, instant)
            if ours is None:
                continue
            for name, value in (("input_mtok", ours.price.prompt_usd), ("output_mtok", ours.price.completion_usd)):
                listed = getattr(theirs, name) or Decimal(0)
                base = listed.base if isinstance(listed, TieredPrices) else listed
                assert Fraction(value) * 1_000_000 == Fraction(base), (key, instant, name)
