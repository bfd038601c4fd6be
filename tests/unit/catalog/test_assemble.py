from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest

from tollway.catalog.assemble import COMPLETION_TOKENS_MAX, CONTEXT_LENGTH, assemble_catalog
from tollway.catalog.model import Price
from tollway.catalog.snapshot import CatalogSnapshot
from tollway.catalog.store import PriceRow
from tollway.settings import SettingsError, parse

NOW = datetime(2026, 11, 1, tzinfo=UTC)
PRICE = Price("openai/gpt-5@2026", NOW, Decimal("0.000001"), Decimal("0.000002"))


def row(provider_id: str = "openai", model_id: str = "openai/GPT-5", context_length: int | None = 400_000) -> PriceRow:
    return PriceRow(
        provider_id, "gpt-5", model_id, "GPT-5", context_length, PRICE, "https://example.org", date(2026, 1, 1)
    )


def catalog(
    *rows: PriceRow, providers: tuple[str, ...] = ("openai",), models: tuple[dict[str, Any], ...] = ()
) -> CatalogSnapshot:
    tree = {"providers": {name: {} for name in providers}, "models": models}
    return assemble_catalog(parse(tree), rows, NOW)


def own(**changes: Any) -> dict[str, Any]:
    return {
        "id": "Mine/Model",
        "provider": "openai",
        "prompt_usd_per_million": "1.5",
        "completion_usd_per_million": "6",
        **changes,
    }


def test_models_of_configured_providers_only() -> None:
    snapshot = catalog(row(), row("openrouter", "openai/gpt-5"), row("openrouter", "other/model"))
    assert list(snapshot.models) == ["openai/gpt-5"]
    (offer,) = snapshot.models["openai/gpt-5"].offers
    assert (offer.provider_id, offer.upstream_model, offer.price) == ("openai", "gpt-5", PRICE)


def test_two_providers_of_one_model_are_two_offers_in_the_order_of_the_settings() -> None:
    rows = (row("openai"), row("openrouter"))
    for providers in (("openai", "openrouter"), ("openrouter", "openai")):
        model = catalog(*rows, providers=providers).models["openai/gpt-5"]
        assert tuple(offer.provider_id for offer in model.offers) == providers


def test_a_provider_under_another_name_has_the_prices_of_its_kind() -> None:
    settings = parse({"providers": {"backup": {"kind": "openai"}}})
    model = assemble_catalog(settings, [row()], NOW).models["openai/gpt-5"]
    assert model.offers[0].provider_id == "backup"


@pytest.mark.parametrize(
    ("context_length", "seen", "completion"),
    [(None, CONTEXT_LENGTH, COMPLETION_TOKENS_MAX), (8_000, 8_000, 8_000), (400_000, 400_000, COMPLETION_TOKENS_MAX)],
)
def test_lengths_where_the_source_names_none(context_length: int | None, seen: int, completion: int) -> None:
    model = catalog(row(context_length=context_length)).models["openai/gpt-5"]
    assert (model.context_length, model.completion_tokens_max) == (seen, completion)


def test_a_model_of_the_operator() -> None:
    more = {"cached_usd_per_million": "0.15", "cache_write_usd_per_million": "1.875", "request_usd": "0.01"}
    model = catalog(models=(own(**more),)).models["mine/model"]
    (offer,) = model.offers
    assert (model.name, offer.upstream_model, offer.provider_id) == ("Mine/Model", "Mine/Model", "openai")
    price = offer.price
    assert (price.version, price.effective_from) == ("settings/Mine/Model", NOW)
    assert (price.prompt_usd, price.completion_usd) == (Decimal("0.0000015"), Decimal("0.000006"))
    assert (price.cached_usd, price.cache_write_usd) == (Decimal("0.00000015"), Decimal("0.000001875"))
    assert price.request_usd == Decimal("0.01")


def test_prices_of_the_operator_are_exact() -> None:
    digits = "1." + "123456789" * 5
    (offer,) = catalog(models=(own(prompt_usd_per_million=digits),)).models["mine/model"].offers
    assert format(offer.price.prompt_usd, "f") == "0.000001" + "123456789" * 5


def test_a_cache_price_that_is_not_given_is_not_zero() -> None:
    (offer,) = catalog(models=(own(),)).models["mine/model"].offers
    assert (offer.price.cached_usd, offer.price.cache_write_usd) == (None, None)


def test_the_operators_model_replaces_a_known_one() -> None:
    model = catalog(row(), models=(own(id="OpenAI/gpt-5"),)).models["openai/gpt-5"]
    assert [offer.price.version for offer in model.offers] == ["settings/OpenAI/gpt-5"]


def test_a_model_of_a_provider_that_is_not_configured_refuses_to_start() -> None:
    with pytest.raises(SettingsError, match=r"models\.Mine/Model\.provider: nobody is not a provider"):
        catalog(models=(own(provider="nobody"),))
