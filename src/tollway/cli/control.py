"""The control plane for as long as a command runs: what commands need that send a request."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from tollway.catalog.assemble import assemble_catalog
from tollway.cli.database import Administration
from tollway.deadlines import Deadlines
from tollway.gateway.stored_candidates import StoredCandidates
from tollway.identity.outbound import outbound_rules
from tollway.providers.registry import configured
from tollway.storage.presets import load_preset
from tollway.storage.sql.catalog import SqlPrices
from tollway.storage.sql.endpoints import SqlEndpoints
from tollway.upstream.client import HttpUpstreams

if TYPE_CHECKING:
    from tollway.management import Management


@asynccontextmanager
async def open_management(admin: Administration) -> "AsyncIterator[Management]":
    """Raises SettingsError and StoreUnavailableError."""
    from tollway.management import Management  # lazy: it brings the parts of a server; only a probe needs them

    settings, database = admin.settings, admin.database
    preset = load_preset(settings.preset)
    catalog = assemble_catalog(settings, await SqlPrices(database).in_force(admin.now), admin.now, preset.hosted_models)
    stored = StoredCandidates(SqlEndpoints(database), preset)
    await stored.refresh()
    client = HttpUpstreams(Deadlines(), settings.limits, settings.timeouts, outbound_rules(settings))
    upstreams = configured(settings, preset=preset)
    try:
        yield Management(settings, preset, database, client, lambda: catalog, upstreams, stored.candidates)
    finally:
        client.close()
