"""The wire catalog: which models are listed, under which name, and in which order.

Source: catalog-and-clients B.2 to B.4.
"""

from collections.abc import Callable, Container, Iterable, Iterator, Mapping
from typing import Final

from msgspec import Struct
from msgspec.json import Encoder

from tollway.catalog.classification import ModelKind
from tollway.catalog.entries import Entry, auto_entry, feed_entry, hosted_entry, own_entry
from tollway.catalog.feed.shapes import FeedModel
from tollway.catalog.model import Model, normal_id
from tollway.catalog.preset import AutoModel, Preset, ToolSettings
from tollway.catalog.store import is_hosted_price, is_own_price
from tollway.catalog.wellformed import is_wellformed

NEW_S: Final = 7 * 86_400

_encode: Final = Encoder().encode


class Known(Struct, frozen=True):
    """What is listed from. `served`: models that a configured provider offers. `feed`: of the default gateway, None
    while nothing is known of it; `fed`: names of the providers that it is the list of. `hosted_at`: providers that
    hosted models may be at. `training`: normalised ids of models that a provider which trains on prompts may serve."""

    served: tuple[Model, ...]
    feed: Mapping[str, FeedModel] | None
    fed: Container[str]
    hosted_at: Container[str]
    training: Container[str] = ()


class Listed(Struct, frozen=True):
    """One entry. `id` is lower-cased, `text` its JSON; `targets` are the models that an auto model may stand for."""

    id: str
    text: bytes
    targets: tuple[str, ...] = ()


class Listing(Struct, frozen=True):
    """`entries` in the order of the list; `left_out`: how many could not be shown."""

    entries: tuple[Listed, ...]
    left_out: int = 0

    def page(self) -> bytes:
        return page_of(one.text for one in self.entries)


def page_of(texts: Iterable[bytes]) -> bytes:
    """`{"object":"list","data":[…]}` of entries that are JSON already."""
    return b'{"object":"list","data":[' + b",".join(texts) + b"]}"


def list_models(known: Known, preset: Preset, kind_of: Callable[[str], ModelKind], now: int) -> Listing:
    """The list for everybody. `now` in unix seconds: for a week a preferred model is new."""
    preferred = preferred_indexes(preset)
    autos = {one.id.lower(): one for one in preset.auto_models}
    found: dict[str, Entry] = {}
    for entry in _entries(known, preset):
        found.setdefault(normal_id(entry["id"]), entry)
    listed: list[tuple[int, Listed]] = []
    left_out = 0
    for id_, entry in found.items():
        place = preferred.get(id_)
        shown = _dressed(entry, id_, kind_of(id_), preset, place, now)
        if known.training and id_.partition(":")[0] in known.training:
            shown["mayTrainOnYourPrompts"] = True
        if not is_wellformed(shown):
            left_out += 1
            continue
        auto = autos.get(id_)
        one = Listed(id_, _encode(shown), auto.targets if auto else ())
        listed.append((len(preferred) if place is None else place, one))
    listed.sort(key=lambda one: one[0])  # stable: what is not preferred keeps its order
    return Listing(tuple(one for _, one in listed), left_out)


def preferred_indexes(preset: Preset) -> dict[str, int]:
    """Places by lower-cased id. The first auto model comes before everything."""
    places = {id_.lower(): place for place, id_ in enumerate(preset.preferred_models)}
    if preset.auto_models:
        places[preset.auto_models[0].id.lower()] = -1
    return places


def decorated(name: str, kind: ModelKind, created: int, now: int, *, is_preferred: bool) -> str:
    """The name with what is to be said about the model, unless it says something already."""
    if name.endswith(")"):
        return name
    if kind.is_free:
        return f"{name} (free)"
    if is_preferred and 0 <= now - created < NEW_S:
        return f"{name} (new)"
    return name


def _entries(known: Known, preset: Preset) -> Iterator[Entry]:
    """In the order of the list, before what is preferred is moved to the front. Of one id the first counts."""
    own = {model.id: model for model in known.served if is_own_price(model.offers[0].price.version)}
    hosted = {one.public_id.lower(): one for one in preset.hosted_models if one.is_enabled}
    hidden = {id_.lower() for id_ in preset.unavailable_models} | (hosted.keys() - own.keys())
    for model in (known.feed or {}).values():
        id_ = normal_id(model.id)
        if id_ not in hidden:
            yield own_entry(own[id_]) if id_ in own else feed_entry(model)
    for served in known.served:
        is_fed = known.feed is not None and served.offers[0].provider_id in known.fed
        is_hosted = is_hosted_price(served.offers[0].price.version)
        if served.id in own or not (served.id in hidden or is_fed or is_hosted):
            yield own_entry(served)
    for id_, one in hosted.items():
        if id_ not in own and one.gateway in known.hosted_at:
            yield hosted_entry(one)
    for auto in preset.auto_models:
        yield auto_entry(auto, _limits_of(auto, known, preset))


def _limits_of(auto: AutoModel, known: Known, preset: Preset) -> tuple[int, int] | None:
    target = auto.default.model.lower()
    for model in known.served:
        if model.id == target:
            return model.context_length, model.completion_tokens_max
    for hosted in preset.hosted_models:
        if hosted.public_id.lower() == target:
            return hosted.context_length, hosted.completion_tokens_max
    return None


def _dressed(entry: Entry, id_: str, kind: ModelKind, preset: Preset, place: int | None, now: int) -> Entry:
    name = decorated(entry["name"], kind, entry["created"], now, is_preferred=place is not None)
    shown = {**entry, "name": name, "isFree": kind.is_free or _is_free_auto(id_, preset)}
    if place is not None:
        shown["preferredIndex"] = place
    plain, versioned = _tools(id_, preset.tool_settings)
    if plain:
        shown["settings"] = plain
    if versioned:
        shown["versioned_settings"] = versioned
    return shown


def _is_free_auto(id_: str, preset: Preset) -> bool:
    """An auto model that is shown at no price stands for free models only."""
    return any(one.id.lower() == id_ and one.prompt_usd == one.completion_usd == "0" for one in preset.auto_models)


def _tools(id_: str, rules: tuple[ToolSettings, ...]) -> tuple[Entry, Entry]:
    plain: Entry = {}
    versioned: Entry = {}
    for rule in rules:
        if id_.startswith(rule.prefixes):
            tools = {"included_tools": list(rule.included_tools), "excluded_tools": list(rule.excluded_tools)}
            if rule.since:
                versioned.setdefault(rule.since, tools)
            elif not plain:
                plain = tools
    return plain, versioned
