"""Stand-ins for what the client's pure parts are given."""

from collections.abc import Mapping
from typing import Any

from tollway.catalog.client_model import ModelMap
from tollway.client.configuration import ClientConfig, Layer, Rank, read_config
from tollway.client.credentials import NONE, Credentials
from tollway.client.gateways import Gateway, known_gateways
from tollway.providers.registry import load_providers

NOW_MS = 1_795_000_000_000
RECORDS = load_providers()


class EmptyShelf:
    """Keeps nothing."""

    def take(self, list_id: str) -> tuple[ModelMap, float] | None:
        return None

    def put(self, list_id: str, models: ModelMap) -> None:
        pass

    def forget(self, prefix: str) -> None:
        pass


class FullShelf(EmptyShelf):
    """One list of this age for everybody."""

    def __init__(self, models: ModelMap, age_s: float) -> None:
        self._kept = models, age_s

    def take(self, list_id: str) -> tuple[ModelMap, float] | None:
        return self._kept


def config_of(tree: Mapping[str, Any] | None = None, environ: Mapping[str, str] | None = None) -> ClientConfig:
    layer = Layer(Rank.INLINE, "inline", tree or {})
    return read_config([layer], environ or {}, lambda path, _: f"<{path}>")


def gateways(
    tree: Mapping[str, Any] | None = None,
    environ: Mapping[str, str] | None = None,
    stored: Credentials = NONE,
    **more: Any,
) -> dict[str, Gateway]:
    return known_gateways(RECORDS, config_of(tree, environ), stored, environ or {}, NOW_MS, **more)
