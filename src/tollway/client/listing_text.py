"""A list of models as people and programs read it. Source: catalog-and-clients C.8, D.4.1."""

from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal
from typing import Final

from msgspec import UNSET, Raw, UnsetType
from msgspec.json import encode
from msgspec.json import format as spread

from tollway.catalog.client_model import ClientModel, as_json, as_pretty_json
from tollway.client.gateways import Gateway
from tollway.client.model_lists import Listed

_GAP: Final = "  "
_HEADS: Final = ("model", "context", "$/M in / out", "abilities")
_CAPABILITIES: Final = (("tools", "tool_call"), ("reasoning", "reasoning"), ("images", "attachment"))


def plain_lines(listed: Iterable[Listed], *, verbose: bool = False) -> Iterator[str]:
    """One `provider/model` per line: the gateway whose popularity is below nought first, then by the alphabet; verbose:
    each followed by its record."""
    for one in sorted(listed, key=_own_first):
        for model in _by_id(one):
            yield f"{one.gateway.id}/{model.id}"
            if verbose:
                yield as_pretty_json(model)


def _own_first(one: Listed) -> tuple[bool, str]:
    popularity = one.gateway.access.popularity
    return popularity is None or popularity >= 0, one.gateway.id


def _by_id(one: Listed) -> list[ClientModel]:
    return sorted(one.models.values(), key=lambda model: model.id)


def json_text(listed: Iterable[Listed]) -> str:
    """An array of records, each with `provider` and `model` (`provider/model`) before its own fields."""
    records = []
    for one in sorted(listed, key=_own_first):
        for model in _by_id(one):
            head = encode({"provider": one.gateway.id, "model": f"{one.gateway.id}/{model.id}"})
            records.append(Raw(head[:-1] + b"," + as_json(model)[1:]))
    return spread(encode(records), indent=2).decode()


def shown_lines(listed: Sequence[Listed], columns: int) -> Iterator[str]:
    """For a terminal: what is popular first, with the context in tokens, prices per million tokens, and what it can.

    columns: of the terminal. A name that leaves no room for the rest stands on a line of its own, above it; where the
    rest alone has no room, it is not aligned.
    """
    rows = {one.gateway.id: [_row(one, model) for model in _by_id(one)] for one in listed}
    every = [row for found in rows.values() for row in found]
    if not every:
        return
    widths = [max(len(row[column]) for row in (_HEADS, *every)) for column in range(4)]
    names = max(0, min(widths[0], columns - sum(widths[1:]) - 3 * len(_GAP)))
    yield from _lines(_HEADS, names, widths)
    for is_popular, heading in ((True, "Popular"), (False, "Other")):
        group = [one for one in listed if one.gateway.is_popular is is_popular and one.models]
        if group and len(listed) > 1:
            yield heading
        for one in group:
            for row in rows[one.gateway.id]:
                yield from _lines(row, names, widths)


def _lines(row: tuple[str, str, str, str], names: int, widths: Sequence[int]) -> Iterator[str]:
    name, context, price, can = row
    if not names:
        yield name
        yield _GAP + _GAP.join(filter(None, row[1:]))
        return
    if len(name) > names:
        yield name
        name = ""
    yield _GAP.join((f"{name:<{names}}", f"{context:>{widths[1]}}", f"{price:>{widths[2]}}", can)).rstrip()


def _row(one: Listed, model: ClientModel) -> tuple[str, str, str, str]:
    can = " ".join(word for word, name in _CAPABILITIES if getattr(model, name))
    return f"{one.gateway.id}/{model.id}", tokens_text(model.limit.context), prices_text(one.gateway, model), can


def prices_text(gateway: Gateway, model: ClientModel) -> str:
    """`$3 / $15`: of a million tokens in and out; `-` where nobody said anything of them."""
    if not has_prices(gateway, model.id):
        return "-"
    return f"{price_text(model.cost.input)} / {price_text(model.cost.output)}"


def has_prices(gateway: Gateway, model_id: str) -> bool:
    """Whether what stands in the model's `cost` was said by somebody; else its noughts mean nothing."""
    return gateway.access.listing.quotes_prices or model_id in gateway.config.models


def price_text(price: Decimal | UnsetType) -> str:
    """`$3`, `$0.25`; `-` when it is unknown."""
    return "-" if price is UNSET else f"${price:f}"


def tokens_text(tokens: int) -> str:
    """`1M`, `128k`, `4096`; `-` when it is unknown."""
    if tokens <= 0:
        return "-"
    for size, unit in ((1_000_000, "M"), (1_000, "k")):
        if tokens >= 10 * 1_000 and tokens >= size:
            return f"{tokens / size:.1f}".removesuffix(".0") + unit
    return str(tokens)
