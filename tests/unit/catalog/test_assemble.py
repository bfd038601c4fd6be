import re
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from tollway.catalog.assemble import COMPLETION_TOKENS_MAX, CONTEXT_LENGTH, assemble_catalog, own_prices
from tollway.catalog.model import Price
from tollway.catalog.preset import HostedModel
from tollway.catalog.snapshot import CatalogSnapshot
from tollway.catalog.store import OWN_PREFIX, PriceRow
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
    assert re.fullmatch("settings/Mine/Model@[0-9a-f]{8}", price.version)
    assert price.effective_from == NOW
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
    assert [offer.price.prompt_usd for offer in model.offers] == [Decimal("0.0000015")]


def test_a_model_of_a_provider_that_is_not_configured_refuses_to_start() -> None:
    with pytest.raises(SettingsError, match=r"models\.Mine/Model\.provider: nobody is not a provider"):
        catalog(models=(own(provider="nobody"),))


def stored(now: datetime = NOW, **changes: Any) -> PriceRow:
    """The price of the operator's model, as it is kept."""
    (kept,) = own_prices(parse({"providers": {"openai": {}}, "models": [own(**changes)]}), now)
    return kept


def version(**changes: Any) -> str:
    return stored(**changes).price.version


FIGURES = (
    "prompt_usd_per_million",
    "completion_usd_per_million",
    "cached_usd_per_million",
    "cache_write_usd_per_million",
    "request_usd",
)


def test_what_is_kept_is_what_is_charged_by() -> None:
    settings = parse({"providers": {"openai": {}}, "models": [own(upstream_model="theirs", name="Mine")]})
    (kept,) = own_prices(settings, NOW)
    assert kept == PriceRow(
        "openai", "theirs", "Mine/Model", "Mine", 128_000, kept.price, source="settings", checked=NOW.date()
    )
    (offer,) = assemble_catalog(settings, (), NOW).models["mine/model"].offers
    assert offer.price == kept.price
    assert own_prices(parse({}), NOW) == ()


@pytest.mark.parametrize("figure", FIGURES)
def test_any_other_figure_is_another_version(figure: str) -> None:
    prices = ("0", "7", "70", "0.7", "7" + "0" * 30 + "1", "7" + "0" * 30 + "2")
    versions = {version(), *(version(**{figure: price}) for price in prices)}
    assert len(versions) == 7 - (figure == "request_usd")  # whose default is 0


def test_the_same_figures_at_other_places_are_other_versions() -> None:
    versions = {version(**{one: "3", other: "5"}) for one in FIGURES for other in FIGURES if one != other}
    assert len(versions) == len(FIGURES) * (len(FIGURES) - 1)


@pytest.mark.parametrize(
    "changes",
    [
        {"prompt_usd_per_million": "1.50"},
        {"prompt_usd_per_million": "15e-1"},
        {"request_usd": "0.000"},
        {"name": "Another name"},
        {"context_length": 9_000},
        {"upstream_model": "another"},
        {"now": NOW + timedelta(days=400)},
    ],
    ids=str,
)
def test_a_version_stays_as_long_as_its_figures(changes: dict[str, Any]) -> None:
    assert version(**changes) == version()


def test_a_cache_price_of_zero_is_not_one_that_is_missing() -> None:
    assert version(cached_usd_per_million="0") != version()


def test_another_model_at_the_same_price_is_another_version() -> None:
    assert version(id="mine/other") != version()


HOSTED = (
    HostedModel("Free/One:free", "internal-1", "somewhere", 5_000, 500),
    HostedModel("free/ended", "internal-2", "openai", 5_000, 500, is_enabled=False),
)


def test_hosted_models_are_their_gateways_and_cost_nothing() -> None:
    """Also when it is not configured, so that they are unavailable and not unknown."""
    dated = row("openai", "free/one:FREE")
    snapshot = assemble_catalog(parse({"providers": {"openai": {}}}), [dated, row()], NOW, HOSTED)
    assert list(snapshot.models) == ["free/one:free", "openai/gpt-5"]
    free = snapshot.models["free/one:free"]
    (offer,) = free.offers
    assert (offer.provider_id, offer.upstream_model, offer.price.is_free) == ("somewhere", "Free/One:free", True)
    assert (free.context_length, free.completion_tokens_max) == (5_000, 500)


def test_an_ended_one_is_what_it_is_elsewhere() -> None:
    dated = row("openai", "free/ended")
    snapshot = assemble_catalog(parse({"providers": {"openai": {}}}), [dated], NOW, HOSTED)
    assert snapshot.models["free/ended"].offers[0].price is PRICE


def test_the_operators_own_word_about_a_hosted_model_counts() -> None:
    tree = {"providers": {"openai": {}}, "models": [own(id="FREE/one:free")]}
    (offer,) = assemble_catalog(parse(tree), (), NOW, HOSTED).models["free/one:free"].offers
    assert (offer.provider_id, offer.price.is_free) == ("openai", False)


def test_what_hosted_models_were_charged_by_can_be_explained() -> None:
    settings = parse({"providers": {"openai": {}}, "models": [own()]})
    free, mine = own_prices(settings, NOW, HOSTED)
    (offer,) = assemble_catalog(settings, (), NOW, HOSTED).models["free/one:free"].offers
    assert (free.price, free.provider_id, free.upstream_model) == (offer.price, "somewhere", offer.upstream_model)
    assert free.price.version.startswith(OWN_PREFIX)
    assert mine.model_id == "Mine/Model"
