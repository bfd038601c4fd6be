"""Everything the sources say, gathered: models with their endpoints, providers with their models.

One endpoint list that cannot be had costs nobody the whole: its model stays as it was. More than one in fifty, or
anything else that fails, fails the run. Source: catalog-and-clients A.4.
"""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import Final, TypeVar

from msgspec import Struct, structs

from tollway.catalog.feed.building import build_providers
from tollway.catalog.feed.guards import NO_PROVIDERS, PROVIDERS_MIN
from tollway.catalog.feed.payloads import Payloads, Providers
from tollway.catalog.feed.reading import (
    FeedError,
    Reading,
    read_cards,
    read_directory,
    read_endpoints_of,
    read_gateway_models,
    read_models,
    read_public_providers,
)
from tollway.catalog.feed.shapes import Card, Endpoints, FeedModel, GatewayModel, PublicProvider
from tollway.catalog.feed.sources import (
    DIRECTORY,
    MODELS,
    OPENROUTER,
    PUBLIC,
    PUBLIC_PROVIDERS,
    SITE,
    VERCEL,
    Sources,
    cards_path,
    endpoints_path,
)
from tollway.catalog.preset import Preset

ENDPOINTS_AT_ONCE: Final = 8
CARDS_AT_ONCE: Final = 3
FAILURES_SHARE: Final = 50  # one in so many models may fail
PUBLIC_S: Final = 30.0

T = TypeVar("T")
M = TypeVar("M", FeedModel, GatewayModel)
Tell = Callable[[str], None]


class Gathered(Struct, frozen=True):
    """`dropped`: entries by source and by what was wrong; `dropped_ids` of models of the default gateway;
    `kept`: ids of models whose endpoints could not be had."""

    payloads: Payloads
    dropped: Mapping[str, int]
    dropped_ids: tuple[str, ...]
    kept: tuple[str, ...]


async def gather(sources: Sources, previous: Payloads | None, preset: Preset, at: str, tell: Tell) -> Gathered:
    """`at`: ISO 8601. Raises FeedError where an essential step fails."""
    counts: Counter[str] = Counter()
    dropped_ids: tuple[str, ...] = ()
    openrouter: dict[str, FeedModel] | None = None
    vercel: dict[str, GatewayModel] | None = None
    kept: list[str] = []
    if OPENROUTER in sources.gateways:
        models = read_models(await _body(sources, OPENROUTER, MODELS))
        counts.update(_counted(OPENROUTER, models.dropped))
        dropped_ids = models.dropped_ids
        known = (previous.openrouter if previous else None) or {}
        openrouter = await _with_endpoints(sources, OPENROUTER, models.entries, known, counts, kept, tell)
    if VERCEL in sources.gateways:
        listed = read_gateway_models(await _body(sources, VERCEL, MODELS))
        counts.update(_counted(VERCEL, listed.dropped))
        served = (previous.vercel if previous else None) or {}
        vercel = await _with_endpoints(sources, VERCEL, listed.entries, served, counts, kept, tell)
    providers = await _providers(sources, preset, at, counts, tell)
    return Gathered(Payloads(providers, openrouter, vercel), dict(counts), dropped_ids, tuple(kept))


async def gather_public_providers(sources: Sources, tell: Tell) -> tuple[PublicProvider, ...] | None:
    """The ancillary list, best effort; None without it. Nothing that fails here fails the run."""
    try:
        async with asyncio.timeout(PUBLIC_S):
            found = read_public_providers(await _body(sources, PUBLIC, PUBLIC_PROVIDERS))
    except (FeedError, TimeoutError) as error:
        tell(f"the public provider list is not there: {error or 'no answer in time'}")
        return None
    if len(found.entries) < PROVIDERS_MIN:
        tell(f"the public provider list has {len(found.entries)} entries, fewer than {PROVIDERS_MIN}")
        return None
    return found.entries


async def _with_endpoints(
    sources: Sources,
    gateway: str,
    models: Sequence[M],
    known: Mapping[str, M],
    counts: Counter[str],
    kept: list[str],
    tell: Tell,
) -> dict[str, M]:
    paths = {model.id: endpoints_path(model.id) for model in models}
    asked = [(model, path) for model in models if (path := paths[model.id]) is not None]
    if len(asked) < len(models):
        counts[f"{gateway}.path"] += len(models) - len(asked)
    tell(f"{gateway}: {len(models)} models")
    answers = await _some_at_once(ENDPOINTS_AT_ONCE, [_endpoints(sources, gateway, path) for _, path in asked])
    failed = sum(answer is None for answer in answers)
    if failed * FAILURES_SHARE > len(asked):
        raise FeedError(f"{gateway}: the endpoints of {failed} of {len(asked)} models cannot be had")
    found: dict[str, M] = {}
    for (model, _), answer in zip(asked, answers, strict=True):
        if answer is not None:
            found[model.id] = structs.replace(model, endpoints=answer)
        else:
            kept.append(model.id)
            if model.id in known:
                found[model.id] = known[model.id]
    return found


async def _endpoints(sources: Sources, gateway: str, path: str) -> Endpoints | None:
    """None: they cannot be had. A model that the gateway does not know there has none."""
    try:
        body = await sources.get(gateway, path, 1)
        return () if body is None else read_endpoints_of(body)
    except FeedError:
        return None


async def _providers(sources: Sources, preset: Preset, at: str, counts: Counter[str], tell: Tell) -> Providers:
    directory = read_directory(await _body(sources, SITE, DIRECTORY))
    counts.update(_counted("directory", directory.dropped))
    if not directory.entries:
        raise FeedError(NO_PROVIDERS)
    tell(f"directory: {len(directory.entries)} providers")
    readings = await _some_at_once(CARDS_AT_ONCE, [_cards(sources, one.name) for one in directory.entries])
    for reading in readings:
        counts.update(_counted("cards", reading.dropped))
    cards = {one.slug: reading.entries for one, reading in zip(directory.entries, readings, strict=True)}
    return build_providers(directory.entries, cards, preset.hosted_models, preset.provider_names, at)


async def _cards(sources: Sources, name: str) -> Reading[Card]:
    return read_cards(await _body(sources, SITE, cards_path(name)))


async def _body(sources: Sources, where: str, path: str) -> bytes:
    body = await sources.get(where, path)
    if body is None:
        raise FeedError(f"{where} has no {path.partition('?')[0]}")
    return body


async def _some_at_once(most: int, work: Iterable[Awaitable[T]]) -> list[T]:
    """All results in order, or the first error once all have ended."""
    places = asyncio.Semaphore(most)

    async def placed(one: Awaitable[T]) -> T:
        async with places:
            return await one

    results = await asyncio.gather(*(placed(one) for one in work), return_exceptions=True)
    done: list[T] = []
    for result in results:
        if isinstance(result, BaseException):
            raise result
        done.append(result)
    return done


def _counted(source: str, dropped: Mapping[str, int]) -> dict[str, int]:
    return {f"{source}.{reason}": count for reason, count in dropped.items()}
