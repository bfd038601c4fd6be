import asyncio

import pytest

from tollway.billing.store import StoreUnavailableError
from tollway.catalog.endpoints import Endpoints
from tollway.catalog.preset import Preset
from tollway.gateway.stored_candidates import StoredCandidates


class FakeEndpoints:
    """Implements EndpointStore. None: the database cannot be reached."""

    def __init__(self, stored: Endpoints | None) -> None:
        self.stored = stored

    async def endpoints(self) -> Endpoints:
        if self.stored is None:
            raise StoreUnavailableError("gone")
        return self.stored

    async def replace_endpoints(self, endpoints: Endpoints) -> None:
        self.stored = endpoints


def test_candidates_follow_what_is_stored() -> None:
    """While the database is away they stay what they were."""

    async def scenario() -> None:
        store = FakeEndpoints({"foo/bar": ("openai",)})
        stored = StoredCandidates(store, Preset())
        candidates = stored.candidates
        assert candidates.of("foo/bar") == ()
        await stored.refresh()
        assert candidates.of("foo/bar") == ("openai",)
        store.stored = None
        with pytest.raises(StoreUnavailableError):
            await stored.refresh()
        assert candidates.of("foo/bar") == ("openai",)
        await store.replace_endpoints({"foo/bar": ("zai",)})
        await stored.refresh()
        assert candidates.of("foo/bar") == ("zai",)

    asyncio.run(scenario())
