"""Which configured providers are the gateways whose lists make the catalog. Source: catalog-and-clients A.1."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Final
from urllib.parse import urlsplit

from tollway.catalog.feed.sources import OPENROUTER, VERCEL
from tollway.providers.registry import Upstream

GATEWAYS: Final = (OPENROUTER, VERCEL)


def gateway_places(upstreams: Mapping[str, Upstream]) -> dict[str, Upstream]:
    """The first configured provider of each kind, with the head of a GET in place of a POST."""
    places: dict[str, Upstream] = {}
    for upstream in upstreams.values():
        kind = upstream.provider.id
        if kind in GATEWAYS and kind not in places:
            path = urlsplit(upstream.base_url).path.rstrip("/")
            places[kind] = replace(upstream, head=(f"GET {path}".encode(), upstream.head[1]))
    return places


def fed_providers(upstreams: Mapping[str, Upstream]) -> frozenset[str]:
    """Names of the providers that the default gateway's list is the list of."""
    return frozenset(name for name, upstream in upstreams.items() if upstream.provider.id == OPENROUTER)


def are_at_home(places: Iterable[Upstream]) -> bool:
    """Whether there are any, and each is at the address that its record names: no stand-in, no proxy."""
    found = tuple(places)
    return bool(found) and all(one.base_url == one.provider.base_url for one in found)
