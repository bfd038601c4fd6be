"""Which model a person means: `provider/model`, what is near to a name that is not there, and the picker.

Source: catalog-and-clients C.8, D.1.3, D.4.4.
"""

from collections.abc import Iterable, Iterator, Sequence
from difflib import get_close_matches
from typing import Final

from msgspec import DecodeError, Struct, field
from msgspec.json import decode

from tollway.catalog.client_listing import is_safe_id
from tollway.catalog.client_model import ClientModel
from tollway.client.errors import ClientError
from tollway.client.gateways import Gateway
from tollway.client.listing_text import prices_text, tokens_text
from tollway.client.model_lists import Listed

NEAR_MAX: Final = 3
_SHOWN_MAX: Final = 20
_NUMBER_COLUMNS: Final = 6
_TOLD_COLUMNS: Final = 24  # what context and prices take at most, but for a few odd ones
_LIKENESS: Final = 0.5
_OK: Final = 200


class ModelReference(Struct, frozen=True):
    """`model_id` may contain slashes."""

    provider_id: str
    model_id: str

    def __str__(self) -> str:
        return f"{self.provider_id}/{self.model_id}"


def read_reference(text: str) -> ModelReference:
    """Split at the first slash. Raises ClientError for what is not `provider/model`."""
    provider_id, slash, model_id = text.strip().partition("/")
    if not slash or not provider_id or not model_id:
        raise ClientError(f"{text.strip()!r} names no model: write provider/model, as `tollway models` lists them")
    return ModelReference(provider_id, model_id)


def near_ids(wanted: str, known: Iterable[str]) -> list[str]:
    """Up to three ids that may have been meant: those that look alike, then those that contain its last part."""
    by_fold = {one.casefold(): one for one in known}
    folded = wanted.casefold()
    alike = get_close_matches(folded, by_fold, NEAR_MAX, _LIKENESS)
    last = folded.rpartition("/")[2]
    containing = sorted((one for one in by_fold if last and last in one), key=lambda one: (len(one), one))
    return [by_fold[one] for one in dict.fromkeys([*alike, *containing])][:NEAR_MAX]


def unknown_model(wanted: ModelReference, known: Iterable[str]) -> ClientError:
    """What to say when this gateway has no such model; known: ids without their provider."""
    near = [f"{wanted.provider_id}/{one}" for one in near_ids(wanted.model_id, known)]
    hint = f" Did you mean {', '.join(near)}?" if near else f" See: tollway models {wanted.provider_id}"
    return ClientError(f"Model not found: {wanted}.{hint}")


class _Defaults(Struct):
    default_model: str = field(name="defaultModel", default="")


def read_default(status: int, body: bytes) -> str:
    """The model that a gateway proposes; empty when it does not. Source: B.7."""
    try:
        found = decode(body, type=_Defaults).default_model if status == _OK else ""
    except (DecodeError, RecursionError):
        return ""
    return found if is_safe_id(found) else ""


class Choice(Struct, frozen=True):
    """One line of the picker."""

    gateway: Gateway
    model: ClientModel

    @property
    def reference(self) -> ModelReference:
        return ModelReference(self.gateway.id, self.model.id)


def choices_of(listed: Iterable[Listed]) -> list[Choice]:
    """Every model there is, in the order of the gateways (the popular ones first), then by id."""
    return [Choice(one.gateway, one.models[model_id]) for one in listed for model_id in sorted(one.models)]


def matching(choices: Sequence[Choice], search: str) -> list[Choice]:
    """Those in whose id or name every word of the search stands."""
    words = search.casefold().split()
    return [one for one in choices if all(word in f"{one.reference} {one.model.name}".casefold() for word in words)]


def choice_lines(choices: Sequence[Choice], columns: int) -> Iterator[str]:
    """Numbered from 1 and headed by group; how many more there are, where those are too many to look at.

    columns: of the terminal; of a name that leaves no room for context and prices nothing else is shown.
    """
    shown = choices[:_SHOWN_MAX]
    widest = max((len(str(one.reference)) for one in shown), default=0)
    width = min(widest, columns - _NUMBER_COLUMNS - _TOLD_COLUMNS)
    heading = ""
    for number, one in enumerate(shown, 1):
        group = "Popular" if one.gateway.is_popular else "Other"
        if group != heading:
            yield group
            heading = group
        line = f"  {number:>2}  {one.reference}"
        if len(line) <= _NUMBER_COLUMNS + width:
            line = f"{line:<{_NUMBER_COLUMNS + width}}  {tokens_text(one.model.limit.context):>6}  "
            line += prices_text(one.gateway, one.model)
        yield line
    if len(choices) > len(shown):
        yield f"      … and {len(choices) - len(shown)} more: type a part of a name"


def chosen(choices: Sequence[Choice], text: str) -> Choice | None:
    """What a number, a whole reference, or a search with a single hit stands for; None: it is a search."""
    text = text.strip()
    if text.isdecimal() and len(text) <= 2 and 1 <= int(text) <= min(len(choices), _SHOWN_MAX):
        return choices[int(text) - 1]
    whole = [one for one in choices if str(one.reference) == text]
    found = whole or matching(choices, text)
    return found[0] if text and len(found) == 1 else None
