"""Answers of sources, read strictly for each field and leniently for each entry: what is wrong is dropped and counted.

Source: catalog-and-clients A.3.
"""

from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any, Final, Generic, TypeVar

from msgspec import Raw, Struct, ValidationError, structs
from msgspec.json import Decoder

from tollway.catalog.feed.figures import usd_if_given
from tollway.catalog.feed.shapes import (
    Card,
    DirectoryEntry,
    Endpoint,
    Endpoints,
    FeedModel,
    GatewayModel,
    PublicProvider,
)

ENTRIES_MAX: Final = 20_000
ENDPOINTS_MAX: Final = 100  # of one model
ID_CHARS_MAX: Final = 200

T = TypeVar("T")


class FeedError(Exception):
    """A source did not answer, or not with what it should; the text says which and what."""


class Reading(Struct, Generic[T], frozen=True):
    """`entries` in the order of the source. `dropped`: how many, by what was wrong; `dropped_ids` of those that have a
    readable one: never the entries."""

    entries: tuple[T, ...]
    dropped: Mapping[str, int]
    dropped_ids: tuple[str, ...]


class _Listed(Struct):
    data: list[Raw]


class _Found(Struct):
    models: list[Raw]


class _Cards(Struct):
    data: _Found


class _EndpointList(Struct):
    endpoints: list[Raw]


class _OfModel(Struct):
    data: _EndpointList


class _Identified(Struct):
    id: Any = None
    slug: Any = None


_decode_list: Final = Decoder(_Listed).decode
_decode_bare: Final = Decoder(list[Raw]).decode
_decode_cards: Final = Decoder(_Cards).decode
_decode_endpoints: Final = Decoder(_OfModel).decode
_decode_identified: Final = Decoder(_Identified).decode
_decode_endpoint: Final = Decoder(Endpoint).decode


def read_models(body: bytes) -> Reading[FeedModel]:
    """Of source 1. Raises FeedError."""
    return _read(_listed(body), Decoder(FeedModel).decode, lambda one: one.id, _prices_of)


def read_gateway_models(body: bytes) -> Reading[GatewayModel]:
    """Of source 3. Raises FeedError."""
    return _read(_listed(body), Decoder(GatewayModel).decode, lambda one: one.id, _nothing)


def read_endpoints_of(body: bytes) -> Endpoints:
    """Of sources 2 and 4, without those that cannot be read. Raises FeedError."""
    found: list[Endpoint] = []
    for raw in _answer(_decode_endpoints, body).data.endpoints[:ENDPOINTS_MAX]:
        try:
            endpoint = _decode_endpoint(raw)
            for text in structs.astuple(endpoint.pricing) if endpoint.pricing else ():
                usd_if_given(text)
        except (ValidationError, ValueError):
            continue
        if endpoint.tag is None or endpoint.tag.isprintable():
            found.append(endpoint)
    return tuple(found)


def read_directory(body: bytes) -> Reading[DirectoryEntry]:
    """Of source 5, a bare list or one in `data`. Raises FeedError."""
    entries = _answer(_decode_bare, body) if body.lstrip()[:1] == b"[" else _listed(body)
    return _read(entries, Decoder(DirectoryEntry).decode, lambda one: one.slug, _nothing)


def read_cards(body: bytes) -> Reading[Card]:
    """Of source 6. One model may be there twice: with and without a variant. Raises FeedError."""
    return _read(_answer(_decode_cards, body).data.models, Decoder(Card).decode, lambda one: one.slug, _card_prices)


def read_public_providers(body: bytes) -> Reading[PublicProvider]:
    """Of source 7. Raises FeedError."""
    return _read(_listed(body), Decoder(PublicProvider).decode, lambda one: one.slug, _nothing)


def is_id(text: str) -> bool:
    """1 to 200 visible ASCII characters."""
    return 0 < len(text) <= ID_CHARS_MAX and all("!" <= character <= "~" for character in text)


def _listed(body: bytes) -> list[Raw]:
    return _answer(_decode_list, body).data


def _answer(decode: Callable[[bytes], T], body: bytes) -> T:
    try:
        return decode(body)
    except (ValidationError, ValueError, RecursionError) as error:
        raise FeedError(f"not an answer of the expected shape: {error}") from None


def _read(
    raws: list[Raw],
    decode: Callable[[Raw], T],
    id_of: Callable[[T], str],
    prices_of: Callable[[T], tuple[str | None, ...]],
) -> Reading[T]:
    kept: dict[str, T] = {}
    dropped: Counter[str] = Counter()
    dropped_ids: list[str] = []
    if len(raws) > ENTRIES_MAX:
        raise FeedError(f"more than {ENTRIES_MAX} entries")
    for raw in raws:
        wrong = _take(raw, decode, id_of, prices_of, kept)
        if wrong:
            dropped[wrong] += 1
            id_ = _id_in(raw)
            if id_ and id_ not in kept:
                dropped_ids.append(id_)
    return Reading(tuple(kept.values()), dict(dropped), tuple(dict.fromkeys(dropped_ids)))


def _take(
    raw: Raw,
    decode: Callable[[Raw], T],
    id_of: Callable[[T], str],
    prices_of: Callable[[T], tuple[str | None, ...]],
    kept: dict[str, T],
) -> str:
    """Put the entry into `kept`, or say what is wrong with it. Of two with one id the first counts."""
    try:
        entry = decode(raw)
    except (ValidationError, ValueError, RecursionError):
        return "shape"
    id_ = id_of(entry)
    if not is_id(id_):
        return "id"
    try:
        for text in prices_of(entry):
            usd_if_given(text)
    except ValueError:
        return "price"
    if id_ in kept:
        return "duplicate"
    kept[id_] = entry
    return ""


def _id_in(raw: Raw) -> str:
    try:
        found = _decode_identified(raw)
    except (ValidationError, ValueError, RecursionError):
        return ""
    id_ = found.id if isinstance(found.id, str) else found.slug
    return id_ if isinstance(id_, str) and is_id(id_) else ""


def _prices_of(model: FeedModel) -> tuple[str | None, ...]:
    prices: tuple[str | None, ...] = structs.astuple(model.pricing)
    return prices


def _card_prices(card: Card) -> tuple[str | None, ...]:
    pricing = card.endpoint.pricing if card.endpoint else None
    return (pricing.prompt, pricing.completion) if pricing else ()


def _nothing(_: object) -> tuple[str | None, ...]:
    return ()
