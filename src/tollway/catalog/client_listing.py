"""From the answer of a gateway's `GET /models` to the models a client works with. Nothing a gateway sends can raise.

One bad entry never loses the others; an answer that is no list at all is None, which is not the same as an empty list.
Source: catalog-and-clients C.2, C.11, register H17 and H18.
"""

import re
import unicodedata
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from enum import StrEnum
from math import ceil
from typing import Any, Final, TypeGuard, get_args

from msgspec import UNSET, DecodeError, Struct, UnsetType
from msgspec.json import Decoder

from tollway.catalog.client_model import (
    COMPLETION_TOKENS,
    CONTEXT_TOKENS,
    ClientModel,
    Cost,
    Limit,
    Modalities,
    Modality,
)
from tollway.money import EXACT

BODY_BYTES_MAX: Final = 16 * 1024**2
ENTRIES_MAX: Final = 10_000
ID_CHARACTERS_MAX: Final = 200
_NUMBER_MAX: Final = 2**53  # up to here JSON's numbers are exact everywhere
_MILLION: Final = Decimal(1_000_000)
_PRICE: Final = re.compile(r"(?:[0-9]{1,30}(?:\.[0-9]{0,30})?|\.[0-9]{1,30})(?:[eE][+-]?[0-9]{1,2})?")
_MODALITIES: Final[Mapping[str, Modality]] = {one: one for one in get_args(Modality)}
_UNSAFE: Final = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})  # what moves a cursor or turns text around
_decode: Final = Decoder(float_hook=Decimal).decode


class Tools(StrEnum):
    """What a list says about tools. LISTED: only who names them has them. ASSUMED: who names other parameters and not
    tools has none and is left out; who names nothing has them. ALWAYS: not asked."""

    LISTED = "listed"
    ASSUMED = "assumed"
    ALWAYS = "always"


class Family(StrEnum):
    """Where a model's family is found."""

    VENDOR = "vendor"  # the id's part before the first slash
    HINTED = "hinted"  # opencode.family, else as VENDOR
    OWNER = "owner"  # owned_by
    NONE = "none"


class Listing(Struct, frozen=True):
    """How one kind of gateway lists its models. The defaults are OpenRouter's shape.

    `context_tokens` stands in where an entry has none; None: such an entry is left out. `completion_share` (of the
    context) stands in for a missing `completion_tokens` limit; None: `completion_tokens` does. `prices_are_free`: it
    quotes none, and costs are shown as 0. `missing_price`: of an entry without one. `reads_features`: entries tell
    what they take; else `sees_images`, `reasons` and `takes_temperature` hold for all.
    """

    context_tokens: int | None = CONTEXT_TOKENS
    completion_tokens: int = COMPLETION_TOKENS
    completion_share: Decimal | None = None
    top_provider_first: bool = False
    quotes_prices: bool = True
    missing_price: Decimal | None = Decimal(0)
    tools: Tools = Tools.LISTED
    family: Family = Family.VENDOR
    has_dates: bool = True
    reads_features: bool = True
    sees_images: bool = False
    takes_temperature: bool = True


OPENROUTER_LIST: Final = Listing()
TOLLWAY_LIST: Final = Listing(
    context_tokens=None,
    completion_share=Decimal("0.2"),
    top_provider_first=True,
    missing_price=None,
    tools=Tools.ASSUMED,
    family=Family.HINTED,
)
PLAIN_LIST: Final = Listing(  # any server of OpenAI's dialect: its list has ids and little else
    context_tokens=0,
    completion_tokens=0,
    quotes_prices=False,
    tools=Tools.ALWAYS,
    family=Family.NONE,
    has_dates=False,
    reads_features=False,
)


def read_listing(body: bytes, listing: Listing) -> dict[str, ClientModel] | None:
    """Id → model in the order of the answer; None when it is no list of models, or larger than any honest one."""
    entries = _entries(body)
    if entries is None:
        return None
    read = (read_entry(entry, listing) for entry in entries)
    return {model.id: model for model in read if model}


def _entries(body: bytes) -> list[Any] | None:
    if len(body) > BODY_BYTES_MAX:
        return None
    try:
        answer = _decode(body)
    except (DecodeError, ArithmeticError, RecursionError, ValueError):
        return None
    entries = answer.get("data") if isinstance(answer, dict) else None
    return entries if isinstance(entries, list) and len(entries) <= ENTRIES_MAX else None


def read_entry(entry: object, listing: Listing = OPENROUTER_LIST) -> ClientModel | None:
    """One entry as decoded from JSON, numbers with a point as Decimal. None: it is left out."""
    if not isinstance(entry, dict) or not is_safe_id(model_id := entry.get("id")):
        return None
    context = _tokens(entry, "context_length", listing) or listing.context_tokens
    parameters = _texts(entry.get("supported_parameters"))
    has_tools = _has_tools(parameters, listing.tools)
    if context is None or has_tools is None:
        return None
    taken, given = (_modalities(entry, side) for side in ("input_modalities", "output_modalities"))
    reads = listing.reads_features
    return ClientModel(
        id=model_id,
        name=safe_text(entry.get("name")) or model_id,
        family=_family(entry, model_id, listing.family),
        release_date=_date(entry.get("created")) if listing.has_dates else "",
        attachment="image" in taken if reads else listing.sees_images,
        reasoning=reads and not parameters.isdisjoint({"reasoning", "include_reasoning"}),
        temperature="temperature" in parameters if reads else listing.takes_temperature,
        tool_call=has_tools,
        cost=_cost(_object(entry, "pricing"), listing),
        limit=Limit(context, _tokens(entry, "max_completion_tokens", listing) or _output(context, listing)),
        modalities=Modalities(taken, given),
    )


def is_safe_id(value: object) -> TypeGuard[str]:
    """A text that may be printed and typed: neither empty nor overlong, without anything invisible."""
    return isinstance(value, str) and 0 < len(value) <= ID_CHARACTERS_MAX and not any(map(_is_unsafe, value))


def safe_text(value: object) -> str:
    """A text of a stranger as it may reach a terminal; empty for what is no text."""
    return "".join(one for one in value if not _is_unsafe(one)).strip() if isinstance(value, str) else ""


def _is_unsafe(character: str) -> bool:
    return unicodedata.category(character) in _UNSAFE


def _object(entry: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    value = entry.get(name)
    return value if isinstance(value, dict) else {}


def _texts(value: object) -> frozenset[str]:
    return frozenset(one for one in value if isinstance(one, str)) if isinstance(value, list) else frozenset()


def _has_tools(parameters: frozenset[str], tools: Tools) -> bool | None:
    """None: the entry says that it has none, where one without is of no use."""
    named = not parameters.isdisjoint({"tools", "tool_choice"})
    match tools:
        case Tools.LISTED:
            return named
        case Tools.ASSUMED:
            return True if named or not parameters else None
        case Tools.ALWAYS:
            return True


def _family(entry: Mapping[str, Any], model_id: str, family: Family) -> str:
    vendor = model_id.partition("/")[0]
    match family:
        case Family.VENDOR:
            return vendor
        case Family.HINTED:
            return safe_text(_object(entry, "opencode").get("family")) or vendor
        case Family.OWNER:
            return safe_text(entry.get("owned_by"))
        case Family.NONE:
            return ""


def _date(created: object) -> str:
    """Of unix seconds, in UTC; whatever else it is, there is none."""
    if isinstance(created, bool) or not isinstance(created, int | Decimal) or not 0 < created <= _NUMBER_MAX:
        return ""
    try:
        return datetime.fromtimestamp(int(created), UTC).date().isoformat()
    except (ValueError, OverflowError, OSError):
        return ""


def _modalities(entry: Mapping[str, Any], side: str) -> tuple[Modality, ...]:
    """An empty list is an answer; a missing one means text."""
    listed = _object(entry, "architecture").get(side)
    if not isinstance(listed, list):
        return ("text",)
    return tuple(_MODALITIES[one] for one in listed if isinstance(one, str) and one in _MODALITIES)


def _tokens(entry: Mapping[str, Any], name: str, listing: Listing) -> int:
    """A limit from the entry or its best provider; 0 where neither has a whole number above it."""
    places = (entry, _object(entry, "top_provider"))
    found = (_whole(place.get(name)) for place in (reversed(places) if listing.top_provider_first else places))
    return next((tokens for tokens in found if tokens), 0)


def _whole(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int | Decimal) or not 0 < value <= _NUMBER_MAX:
        return 0
    return int(value) if value == int(value) else 0


def _output(context: int, listing: Listing) -> int:
    share = listing.completion_share
    return listing.completion_tokens if share is None else ceil(context * share)


def _cost(pricing: Mapping[str, Any], listing: Listing) -> Cost:
    if not listing.quotes_prices:
        return Cost(input=Decimal(0), output=Decimal(0))
    missing = UNSET if listing.missing_price is None else listing.missing_price
    return Cost(
        input=_per_million(pricing.get("prompt"), missing),
        output=_per_million(pricing.get("completion"), missing),
        cache_read=_per_million(pricing.get("input_cache_read"), UNSET),
        cache_write=_per_million(pricing.get("input_cache_write"), UNSET),
    )


def _per_million(price: object, missing: Decimal | UnsetType) -> Decimal | UnsetType:
    """USD per token, as text or number, into USD per million, exactly; what is no price is unknown."""
    if not price and not isinstance(price, list | dict):  # missing, null, false, 0 and "": nothing is known
        return missing
    if isinstance(price, bool) or not isinstance(price, str | int | Decimal) or not _PRICE.fullmatch(str(price)):
        return UNSET
    return _plain(EXACT.multiply(Decimal(price), _MILLION))


def _plain(amount: Decimal) -> Decimal:
    """Without trailing zeros and without an exponent, so that it reads as people write it."""
    text = f"{amount:f}"
    return Decimal(text.rstrip("0").rstrip(".") or "0") if "." in text else Decimal(text)
