"""Which model clients begin with. Pure. Source: catalog-and-clients B.7."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from hashlib import sha256
from itertools import chain

from msgspec import Struct

from tollway.catalog.preset import Preset

NAMESPACE = "/*"


class Defaults(Struct, frozen=True):
    """As on the wire."""

    defaultModel: str  # noqa: N815  (as on the wire)
    defaultFreeModel: str  # noqa: N815  (as on the wire)


class Restricted(Struct, frozen=True):
    """What an organization, or whoever made a key, has decided. `allow_list` is empty where all is allowed, or the plan
    has none; `default_model` is empty where nobody chose one; `admits` is the same as on the request path."""

    allow_list: Sequence[str]
    default_model: str
    admits: Callable[[str], bool]


def defaults_for_all(preset: Preset, is_free: Callable[[str], bool]) -> Defaults | None:
    """Of somebody who is nobody. None: the preset names no models."""
    model = next(chain(_free(preset, is_free), preset.default_models), None)
    return Defaults(model, model) if model else None


def defaults_of_user(preset: Preset, is_free: Callable[[str], bool], user_id: str) -> Defaults | None:
    """One of the default choices, always the same one for one user, spread evenly over all of them."""
    choices = preset.default_models
    if not choices:
        return defaults_for_all(preset, is_free)
    place = int.from_bytes(sha256(user_id.encode()).digest()[:4], "big") % len(choices)
    return Defaults(choices[place], next(_free(preset, is_free), choices[place]))


def defaults_within(
    restricted: Restricted,
    preset: Preset,
    is_free: Callable[[str], bool],
    exists: Callable[[str], bool],
    indexed: Iterable[str],
    listed: Iterable[str],
) -> Defaults | None:
    """`exists`: whether the catalog has the model; `indexed` and `listed`: ids of the policy index and of the list.
    None: nothing that there is is allowed."""
    model = next(_candidates(restricted, preset, exists, indexed, listed), None)
    if model is None:
        return None
    free = (one for one in _free(preset, is_free) if restricted.admits(one) and exists(one))
    return Defaults(model, next(free, model))


def _candidates(
    restricted: Restricted,
    preset: Preset,
    exists: Callable[[str], bool],
    indexed: Iterable[str],
    listed: Iterable[str],
) -> Iterator[str]:
    """Those that may be it, the first one first."""
    primary = preset.default_models[:1]
    chosen = (restricted.default_model,) if restricted.default_model else ()
    for one in (*chosen, *primary):
        if not one.endswith(NAMESPACE) and restricted.admits(one) and exists(one):
            yield one
    if not restricted.allow_list:
        yield from primary
    named = (one for one in restricted.allow_list if not one.endswith(NAMESPACE))
    others = chain(preset.preferred_models, indexed, listed)
    yield from (one for one in chain(named, others) if restricted.admits(one) and exists(one))


def _free(preset: Preset, is_free: Callable[[str], bool]) -> Iterator[str]:
    return (one for one in preset.preferred_models if is_free(one))
