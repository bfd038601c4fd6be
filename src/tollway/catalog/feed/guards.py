"""What a new snapshot must look like before it replaces the old one: enough of everything, and no leaps of prices.

`failures` can never be stored; `held` waits until the operator accepts it. Source: catalog-and-clients A.5,
guarantees §8.
"""

from collections.abc import Collection, Iterator, Mapping
from decimal import Decimal
from typing import Final

from msgspec import Struct

from tollway.catalog.feed.figures import usd, usd_if_given
from tollway.catalog.feed.payloads import PAYLOAD_BYTES_MAX, Payloads
from tollway.catalog.feed.shapes import FeedModel, Pricing

PROVIDERS_MIN: Final = 10
MODELS_MIN: Final = 100
LEAP: Final = 10
REASONS_MAX: Final = 20  # that are told one by one
NO_PROVIDERS: Final = "No providers found in OpenRouter response"


class Verdict(Struct, frozen=True):
    failures: tuple[str, ...] = ()
    held: tuple[str, ...] = ()


def failures_of(payloads: Payloads) -> tuple[str, ...]:
    """Whatever is too little, in the words of the page."""
    return tuple(_too_few(payloads))


def judge(payloads: Payloads, size: int, dropped_ids: Collection[str], previous: Payloads | None) -> Verdict:
    """`size` in bytes; `dropped_ids`: of models whose entries could not be read."""
    return Verdict(failures_of(payloads), tuple(_suspicious(payloads, size, dropped_ids, previous)))


def _too_few(payloads: Payloads) -> Iterator[str]:
    providers = payloads.providers
    if providers.total_providers < PROVIDERS_MIN:
        yield f"Suspicious: total number of providers is {providers.total_providers} < {PROVIDERS_MIN}"
    if providers.total_models < MODELS_MIN:
        yield f"Suspicious: total number of models is {providers.total_models} < {MODELS_MIN}"
    for name, models in _gateways(payloads).items():
        if len(models) < MODELS_MIN:
            yield f"Suspicious: total number of {name} models is {len(models)} < {MODELS_MIN}"


def _suspicious(
    payloads: Payloads, size: int, dropped_ids: Collection[str], previous: Payloads | None
) -> Iterator[str]:
    if size > PAYLOAD_BYTES_MAX:
        yield f"the snapshot has {size} bytes, more than {PAYLOAD_BYTES_MAX}"
    if previous is None:
        return
    yield from _halved("models by provider", payloads.providers.total_models, previous.providers.total_models)
    before = _gateways(previous)
    for name, models in _gateways(payloads).items():
        yield from _halved(f"{name} models", len(models), len(before.get(name, ())))
    if payloads.openrouter is not None and previous.openrouter is not None:
        yield from _bounded([*_leaps(payloads.openrouter, previous.openrouter, dropped_ids)])


def _halved(what: str, now: int, before: int) -> Iterator[str]:
    if now * 2 < before:
        yield f"{now} {what}, fewer than half of {before}"


def _leaps(
    models: Mapping[str, FeedModel], previous: Mapping[str, FeedModel], dropped_ids: Collection[str]
) -> Iterator[str]:
    dropped = frozenset(dropped_ids)
    for id_, known in previous.items():
        if prices_of(known.pricing) is None:
            continue
        model = models.get(id_)
        if model is not None:
            yield from (f"{id_}: {change}" for change in _leaps_of(known.pricing, model.pricing))
        elif id_ in dropped:
            yield f"{id_}: its entry cannot be read any more"


def _leaps_of(before: Pricing, now: Pricing) -> Iterator[str]:
    old, new = prices_of(before), prices_of(now)
    if old is None:
        return
    if new is None:
        yield "its price is gone"
        return
    for name, price in new.items():
        was = old.get(name)
        if was is None:
            if price >= LEAP * new["prompt"] > 0:
                yield f"{name} {price:f} USD is new, and {LEAP} times the price of a prompt token"
        elif _is_leap(was, price):
            yield f"{name} {was:f} → {price:f} USD"


def _is_leap(before: Decimal, now: Decimal) -> bool:
    if before == now:
        return False
    return now >= LEAP * before or now * LEAP <= before


def prices_of(pricing: Pricing) -> dict[str, Decimal] | None:
    """What a chat completion may be charged for, in USD. None: there is no usable price, so nothing is.

    Per piece (`request`, `image`) nothing said is nothing charged; a cached token without a price of its own costs what
    a prompt token does, so there is nothing to compare.
    """
    prompt, completion = usd(pricing.prompt), usd(pricing.completion)
    if prompt is None or completion is None:
        return None
    found = {
        "prompt": prompt,
        "completion": completion,
        "request": usd_if_given(pricing.request) or Decimal(0),
        "image": usd_if_given(pricing.image) or Decimal(0),
    }
    for name in ("input_cache_read", "input_cache_write"):
        price = usd_if_given(getattr(pricing, name))
        if price is not None:
            found[name] = price
    return found


def _gateways(payloads: Payloads) -> dict[str, Mapping[str, object]]:
    named: dict[str, Mapping[str, object] | None] = {"openrouter": payloads.openrouter, "vercel": payloads.vercel}
    return {name: models for name, models in named.items() if models is not None}


def _bounded(reasons: list[str]) -> Iterator[str]:
    yield from reasons[:REASONS_MAX]
    if len(reasons) > REASONS_MAX:
        yield f"and {len(reasons) - REASONS_MAX} more prices"
