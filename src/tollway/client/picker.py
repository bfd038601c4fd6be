"""The gateways as a person chooses one: the popular ones first, then the others by name, each with how it stands.

Source: catalog-and-clients C.4.4, C.8, D.3.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Final

from tollway.client.credentials import normal_provider_id
from tollway.client.gateways import Gateway, find_gateway
from tollway.client.terminal_text import cells_of, padded

OTHER: Final = "other"
_ID: Final = re.compile(r"[0-9a-z-]{1,64}")


def picker_lines(gateways: Mapping[str, Gateway]) -> Iterator[str]:
    """Numbered from 1 in the order of `gateways`, headed by group; the last one asks for an id."""
    width = max((cells_of(one.name) for one in gateways.values()), default=0)
    heading = ""
    for number, one in enumerate(gateways.values(), 1):
        group = "Popular" if one.is_popular else "Other"
        if group != heading:
            yield group
            heading = group
        state = f"connected ({one.key.source.value})" if one.key else "not connected"
        yield f"  {number:>2}  {padded(one.name, width)}  {state}"
    yield f"  {len(gateways) + 1:>2}  {OTHER}…"


def picked(gateways: Mapping[str, Gateway], text: str) -> Gateway | str | None:
    """What a person meant by a number, an id, a name or a part of one alone; OTHER where the id of something else is to
    be asked for."""
    text = text.strip()
    if text.isdecimal() and len(text) <= 4:
        places: list[Gateway | str] = [*gateways.values(), OTHER]
        return places[int(text) - 1] if 1 <= int(text) <= len(places) else None
    if found := find_gateway(gateways, text):
        return found
    if text.casefold().rstrip("…") == OTHER:
        return OTHER
    hits = [one for one in gateways.values() if text.casefold() in f"{one.id} {one.name}".casefold()]
    return hits[0] if text and len(hits) == 1 else None


def read_other_id(text: str) -> str | None:
    """An id that may be stored for a provider that nothing here knows. Source: D.3."""
    provider_id = normal_provider_id(text)
    return provider_id if _ID.fullmatch(provider_id) else None
