"""The control plane put together: what the management API and the commands share.

Besides `app.py` the only file that names concrete adapters.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

from tollway.admin.ownership import Actor
from tollway.admin.probe_limits import ProbeLimits
from tollway.admin.upstream_changes import Sealer
from tollway.admin.upstream_fields import reserved_names
from tollway.admin.upstreams import UpstreamDesk, UpstreamRules
from tollway.catalog.preset import Preset
from tollway.catalog.snapshot import CatalogSnapshot
from tollway.clock import monotonic, utc_now
from tollway.http.callers import Callers
from tollway.http.custom_upstreams import UpstreamServices
from tollway.identity.authenticator import Authenticator
from tollway.identity.master_keys import sealing_keys
from tollway.identity.outbound import outbound_rules
from tollway.ids import random_bytes
from tollway.providers.registry import load_providers
from tollway.settings import Settings
from tollway.storage.sql.admin.store import SqlAdmin
from tollway.storage.sql.database import Database
from tollway.storage.sql.offered import SqlOffered
from tollway.upstream.client import HttpUpstreams
from tollway.upstream.probe import Prober


@dataclass(frozen=True)
class Management:
    """Raises SettingsError where keys or rules of the operator cannot be read."""

    settings: Settings
    preset: Preset
    database: Database
    client: HttpUpstreams
    catalog: Callable[[], CatalogSnapshot]

    @cached_property
    def prober(self) -> Prober:
        return Prober(self.client, outbound_rules(self.settings))

    def desk(self, actor: Actor) -> UpstreamDesk:
        """The use cases on behalf of `actor`, now."""
        return UpstreamDesk(SqlAdmin(self.database), self._rules, self._sealer, actor, utc_now())

    def callers(self, authenticator: Authenticator) -> Callers:
        store = SqlAdmin(self.database)

        async def has_organization(organization_id: str) -> bool:
            return bool(await store.find_organizations(organization_id))

        return Callers(authenticator, has_organization)

    def custom_upstreams(self, callers: Callers) -> UpstreamServices | None:
        """None: the operator has turned them off."""
        settings = self.settings
        if not settings.custom_upstreams.enabled:
            return None
        share = max(settings.custom_upstreams.probes_per_hour // (settings.instances * settings.workers), 1)
        return UpstreamServices(
            callers=callers,
            desk=lambda caller: self.desk(Actor(caller.user_id)),
            ask=self.prober,
            limits=ProbeLimits(share, lambda: int(monotonic() * 1000)),
            offered=SqlOffered(self.database),
        )

    @cached_property
    def _sealer(self) -> Sealer:
        return Sealer(sealing_keys(self.settings), random_bytes)

    @property
    def _rules(self) -> UpstreamRules:
        custom, reserved = self.settings.custom_upstreams, frozenset[str]()
        if not custom.may_shadow:
            providers = {*self.settings.providers, *load_providers()}
            reserved = reserved_names(self.preset, self.catalog().models, providers)
        return UpstreamRules(outbound_rules(self.settings), reserved, custom.per_owner_max, self.prober.leads_inside)
