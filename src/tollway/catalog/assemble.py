"""Put the snapshot together: the operator's own models, the free ones that the preset hosts, and dated prices of the
configured providers. Of a model that is among several of these the first counts."""

from collections.abc import Container, Iterable, Iterator
from datetime import UTC, datetime
from decimal import Decimal
from hashlib import sha256
from typing import Final

from tollway.catalog.feed.pricing import PROVIDER as FED
from tollway.catalog.model import ZERO, Model, Offer, Price, normal_id
from tollway.catalog.preset import HostedModel
from tollway.catalog.snapshot import CatalogSnapshot, build_snapshot
from tollway.catalog.store import HOSTED_SUFFIX, OWN_PREFIX, PriceRow
from tollway.money import EXACT
from tollway.settings import ModelSettings, ProviderSettings, Settings, SettingsError

CONTEXT_LENGTH: Final = 128_000  # tokens, where the source of a price names none
COMPLETION_TOKENS_MAX: Final = 32_768
SINCE_EVER: Final = datetime(1970, 1, 1, tzinfo=UTC)


def assemble_catalog(
    settings: Settings,
    rows: Iterable[PriceRow],
    now: datetime,
    hosted: Iterable[HostedModel] = (),
    unpriced: Container[str] = (),
) -> CatalogSnapshot:
    """Models that a configured provider serves, and hosted ones, whose gateway may not be configured: those who ask for
    them learn that they are unavailable, not that they do not exist. `rows` are the prices in force at `now`;
    `unpriced`: ids of models of the default gateway whose price is not known any more, so that none in force counts.

    Raises SettingsError when a model names a provider that is not configured.
    """
    own = [_own_model(model, settings.providers, now) for model in settings.models]
    named = {model.id for model in own}
    free = [model for model in map(_hosted_model, _enabled(hosted)) if model.id not in named]
    named.update(model.id for model in free)
    priced = (row for row in rows if not (row.provider_id == FED and normal_id(row.model_id) in unpriced))
    seeded = (model for model in _seeded(settings.providers, priced) if model.id not in named)
    return build_snapshot([*own, *free, *seeded])


def _own_model(model: ModelSettings, providers: dict[str, ProviderSettings], now: datetime) -> Model:
    if model.provider not in providers:
        raise SettingsError(f"models.{model.id}.provider: {model.provider} is not a provider of these settings")
    return Model(
        id=normal_id(model.id),
        name=model.name or model.id,
        context_length=model.context_length,
        completion_tokens_max=model.completion_tokens_max,
        offers=(Offer(model.provider, model.upstream_model or model.id, _own_price(model, now)),),
    )


def _hosted_model(hosted: HostedModel) -> Model:
    """One that its gateway serves, and that costs callers nothing. Its rules send the gateway's own id there."""
    return Model(
        id=normal_id(hosted.public_id),
        name=hosted.public_id,
        context_length=hosted.context_length,
        completion_tokens_max=hosted.completion_tokens_max,
        offers=(Offer(hosted.gateway, hosted.public_id, _hosted_price(hosted)),),
    )


def _hosted_price(hosted: HostedModel) -> Price:
    return Price(f"{OWN_PREFIX}{hosted.public_id}{HOSTED_SUFFIX}", SINCE_EVER, ZERO, ZERO)


def _enabled(hosted: Iterable[HostedModel]) -> Iterator[HostedModel]:
    return (model for model in hosted if model.is_enabled)


def own_prices(settings: Settings, now: datetime, hosted: Iterable[HostedModel] = ()) -> tuple[PriceRow, ...]:
    """The prices of the operator's own models and of hosted ones, to be kept: what was charged by them can be explained
    for ever."""
    free = tuple(
        PriceRow(
            provider_id=model.gateway,
            upstream_model=model.public_id,
            model_id=model.public_id,
            name=model.public_id,
            context_length=model.context_length,
            price=_hosted_price(model),
            source="preset",
            checked=now.date(),
        )
        for model in _enabled(hosted)
    )
    return free + tuple(
        PriceRow(
            provider_id=model.provider,
            upstream_model=model.upstream_model or model.id,
            model_id=model.id,
            name=model.name or model.id,
            context_length=model.context_length,
            price=_own_price(model, now),
            source="settings",
            checked=now.date(),
        )
        for model in settings.models
    )


def _own_price(model: ModelSettings, now: datetime) -> Price:
    """Its version follows from its figures: another price under the same id is another version."""
    figures = (
        _per_token(model.prompt_usd_per_million),
        _per_token(model.completion_usd_per_million),
        _per_token_if_given(model.cached_usd_per_million),
        _per_token_if_given(model.cache_write_usd_per_million),
        model.request_usd,
    )
    digest = sha256("/".join(map(_spelled, figures)).encode())
    prompt, completion, cached, written, request = figures
    return Price(
        version=f"{OWN_PREFIX}{model.id}@{digest.hexdigest()[:8]}",
        effective_from=now,
        prompt_usd=prompt,
        completion_usd=completion,
        cached_usd=cached,
        cache_write_usd=written,
        request_usd=request,
    )


def _spelled(figure: Decimal | None) -> str:
    """The same for equal prices however they are written, another one for any other."""
    return "" if figure is None else format(EXACT.normalize(figure), "f")


def _seeded(providers: dict[str, ProviderSettings], rows: Iterable[PriceRow]) -> Iterator[Model]:
    by_provider: dict[str, list[PriceRow]] = {}
    for row in rows:
        by_provider.setdefault(row.provider_id, []).append(row)
    for name, provider in providers.items():
        for row in by_provider.get(provider.kind or name, ()):
            context_length = row.context_length or CONTEXT_LENGTH
            yield Model(
                id=normal_id(row.model_id),
                name=row.name,
                context_length=context_length,
                completion_tokens_max=min(context_length, COMPLETION_TOKENS_MAX),
                offers=(Offer(name, row.upstream_model, row.price),),
            )


def _per_token(per_million: Decimal) -> Decimal:
    """Exact: the default context would round a price to 28 digits."""
    return EXACT.scaleb(per_million, -6)


def _per_token_if_given(per_million: Decimal | None) -> Decimal | None:
    return None if per_million is None else _per_token(per_million)
