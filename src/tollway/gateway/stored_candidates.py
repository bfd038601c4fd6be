"""Keeps the candidates for callers' own keys as they are stored: read at the start, and again from time to time."""

from typing import Final

from tollway.catalog.preset import Preset
from tollway.catalog.store import EndpointStore
from tollway.routing.own_keys import KeyCandidates

READ_ENDPOINTS_S: Final = 300.0  # request-path 8.2.1


class StoredCandidates:
    """`candidates` are replaced whole by each `refresh`."""

    def __init__(self, store: EndpointStore, preset: Preset) -> None:
        self._store = store
        self.candidates = KeyCandidates(preset)

    async def refresh(self) -> None:
        """Raises StoreUnavailableError; what was read before stays then."""
        self.candidates.replace(await self._store.endpoints())
