"""What one snapshot changes about the one before it, for people to read."""

from collections.abc import Mapping

from msgspec import Struct

from tollway.catalog.feed.guards import prices_of
from tollway.catalog.feed.payloads import Payloads
from tollway.catalog.feed.shapes import FeedModel


class PriceChange(Struct, frozen=True):
    """`before` and `now` in USD for one token (or piece); None: there is none."""

    model: str
    what: str
    before: str | None
    now: str | None


class Changes(Struct, frozen=True):
    """Ids of models of the default gateway, and slugs of providers, in alphabetical order."""

    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    prices: tuple[PriceChange, ...] = ()
    providers_added: tuple[str, ...] = ()
    providers_removed: tuple[str, ...] = ()

    @property
    def is_empty(self) -> bool:
        return self == _NONE


_NONE = Changes()


def changes_of(now: Payloads, before: Payloads | None) -> Changes:
    """Against nothing everything is new."""
    models, known = now.openrouter or {}, (before.openrouter if before else None) or {}
    slugs = {one.slug for one in now.providers.providers}
    known_slugs = {one.slug for one in before.providers.providers} if before else set()
    return Changes(
        added=tuple(sorted(models.keys() - known.keys())),
        removed=tuple(sorted(known.keys() - models.keys())),
        prices=tuple(_price_changes(models, known)),
        providers_added=tuple(sorted(slugs - known_slugs)),
        providers_removed=tuple(sorted(known_slugs - slugs)),
    )


def _price_changes(models: Mapping[str, FeedModel], known: Mapping[str, FeedModel]) -> list[PriceChange]:
    found = []
    for id_ in sorted(models.keys() & known.keys()):
        old, new = prices_of(known[id_].pricing) or {}, prices_of(models[id_].pricing) or {}
        for what in sorted(old.keys() | new.keys()):
            before, now = old.get(what), new.get(what)
            if before != now:
                found.append(PriceChange(id_, what, _text(before), _text(now)))
    return found


def _text(price: object) -> str | None:
    return None if price is None else format(price, "f")
