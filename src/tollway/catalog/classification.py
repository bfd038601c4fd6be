"""What kind of model an id names: hosted by the operator, free, ended, stealth, unavailable. Made from the preset.

There is one table of hosted models (the preset's) and every figure about them is read from its entries. Ids are the
lower-cased ones of resolved models; all tests are case-sensitive. Source: request-path 5.1.
"""

import re
from collections.abc import Callable
from functools import lru_cache
from typing import Final

from msgspec import Struct

from tollway.catalog.preset import HostedModel, Preset


class ModelKind(Struct, frozen=True):
    """`entry`: its row of the hosted table, enabled or not. `is_free`: nobody needs to sign in or to have credit.

    `is_unavailable`: answered as if it did not exist. A dead model may still be free.
    """

    entry: HostedModel | None = None
    is_free: bool = False
    is_stealth: bool = False
    is_unavailable: bool = False

    @property
    def is_hosted_free(self) -> bool:
        """The operator pays for it."""
        return self.entry is not None and self.entry.is_enabled

    @property
    def required_providers(self) -> tuple[str, ...]:
        """The inference providers that its gateway must use, all of them; none for what the operator does not host."""
        return self.entry.inference_providers if self.entry else ()

    @property
    def is_dead(self) -> bool:
        """It was hosted once; those who still ask are told that it has ended."""
        return self.entry is not None and not self.entry.is_enabled


IDS_KEPT: Final = 10_000
PAID: Final = ModelKind()
FREE_ELSEWHERE: Final = ModelKind(is_free=True)


class Classification:
    """The kinds of all ids: a table for those the preset names, patterns for the rest.

    `kind_of` takes a resolved, lower-cased id. What it found of those asked about lately is kept.
    """

    kind_of: Callable[[str], ModelKind]

    def __init__(self, preset: Preset) -> None:
        self._free = _any_of(preset.free_models)
        self.kind_of = lru_cache(IDS_KEPT)(self._kind_of)
        self._named = {id_.lower(): self._unavailable(id_.lower()) for id_ in preset.unavailable_models}
        for entry in preset.hosted_models:
            self._named[entry.public_id.lower()] = self._hosted(entry, preset.stealth_provider)

    def _kind_of(self, model_id: str) -> ModelKind:
        kind = self._named.get(model_id)
        if kind is None:
            kind = FREE_ELSEWHERE if self._is_free(model_id) else PAID
        return kind

    def _is_free(self, model_id: str) -> bool:
        return self._free is not None and self._free.fullmatch(model_id) is not None

    def _hosted(self, entry: HostedModel, stealth_provider: str) -> ModelKind:
        id_ = entry.public_id.lower()
        return ModelKind(
            entry,
            entry.is_enabled or self._is_free(id_),
            stealth_provider in entry.inference_providers,
            id_ in self._named,
        )

    def _unavailable(self, model_id: str) -> ModelKind:
        return ModelKind(is_free=self._is_free(model_id), is_unavailable=True)


def _any_of(patterns: tuple[str, ...]) -> re.Pattern[str] | None:
    """A pattern that matches what one of these does; None when there are none."""
    if not patterns:
        return None
    return re.compile("|".join(re.escape(one).replace(r"\*", ".*") for one in patterns), re.DOTALL)
