"""The control plane put together: what the management API and the commands share.

Besides `app.py` the only file that names concrete adapters.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Final

from tollway.admin import own_keys
from tollway.admin.answers import Answers
from tollway.admin.custom_llms import LlmDesk
from tollway.admin.device_logins import DeviceLogins
from tollway.admin.own_key_probes import KeyProbes
from tollway.admin.ownership import Actor
from tollway.admin.probe_limits import ProbeLimits
from tollway.admin.upstream_changes import Sealer
from tollway.admin.upstream_fields import reserved_names
from tollway.admin.upstreams import UpstreamDesk, UpstreamRules, check_place
from tollway.billing.notices import top_up_rules
from tollway.catalog.preset import Preset
from tollway.catalog.snapshot import CatalogSnapshot
from tollway.clock import monotonic, utc_now
from tollway.errors import Problem
from tollway.gateway.logins import Logins
from tollway.http.background import Every
from tollway.http.callers import Callers
from tollway.http.client_address import ClientAddresses, address_of
from tollway.http.custom_upstreams import UpstreamServices
from tollway.http.management.call import ManagementServices
from tollway.identity.authenticator import Authenticator, text_permissions
from tollway.identity.master_keys import sealing_keys
from tollway.identity.outbound import outbound_rules
from tollway.ids import random_bytes
from tollway.providers.registry import Upstream, load_providers
from tollway.providers.rulebook import Rulebook
from tollway.routing.own_keys import KeyCandidates, gateway_for
from tollway.settings import Settings
from tollway.storage.sql.admin.store import SqlAdmin
from tollway.storage.sql.admin.usage import SqlUsageListing
from tollway.storage.sql.answers import SqlAnswers
from tollway.storage.sql.budgets import spent
from tollway.storage.sql.database import Database
from tollway.storage.sql.device_logins import SqlDeviceLogins
from tollway.storage.sql.explanation import explain
from tollway.storage.sql.offered import SqlOffered
from tollway.upstream.client import HttpUpstreams
from tollway.upstream.probe import GatewayAsker, Prober

CLEAN_UP_S: Final = 600.0


@dataclass(frozen=True)
class Management:
    """Raises SettingsError where keys or rules of the operator cannot be read."""

    settings: Settings
    preset: Preset
    database: Database
    client: HttpUpstreams
    catalog: Callable[[], CatalogSnapshot]
    upstreams: Mapping[str, Upstream]
    candidates: KeyCandidates

    @cached_property
    def prober(self) -> Prober:
        return Prober(self.client, outbound_rules(self.settings))

    def desk(self, actor: Actor) -> UpstreamDesk:
        """The use cases on behalf of `actor`, now."""
        return UpstreamDesk(SqlAdmin(self.database), self._rules, self._sealer, actor, utc_now())

    def callers(self, authenticator: Authenticator, logins: Logins, addresses: ClientAddresses) -> Callers:
        store = SqlAdmin(self.database)

        async def has_organization(organization_id: str) -> bool:
            return bool(await store.find_organizations(organization_id))

        return Callers(authenticator, has_organization, logins, partial(address_of, addresses))

    def custom_upstreams(self, callers: Callers) -> UpstreamServices | None:
        """None: the operator has turned them off."""
        settings = self.settings
        if not settings.custom_upstreams.enabled:
            return None
        return UpstreamServices(
            callers=callers,
            desk=self.desk,
            ask=self.prober,
            limits=self._probe_limits(),
            offered=SqlOffered(self.database),
        )

    def api(self, callers: Callers, addresses: ClientAddresses) -> ManagementServices | None:
        """None: the operator has turned it off."""
        settings, database = self.settings, self.database
        if not settings.management_api:
            return None
        pepper = settings.pepper()
        return ManagementServices(
            callers=callers,
            store=SqlAdmin(database),
            usage=SqlUsageListing(database),
            answers=Answers(SqlAnswers(database), self._sealer.keys, random_bytes),
            device_logins=DeviceLogins(SqlDeviceLogins(database), pepper, random_bytes),
            explain=partial(explain, database),
            spent=partial(spent, database),
            own_keys=self.own_keys,
            key_probes=self.key_probes,
            custom_llms=self.custom_llms,
            upstreams=self.custom_upstreams(callers),
            subscriptions=self.preset.subscriptions,
            top_ups=top_up_rules(settings.notices),
            pepper=pepper,
            app_url=settings.app_url,
            text_permissions=text_permissions(settings),
            body_bytes_max=settings.limits.management_body_bytes,
            address_of=partial(address_of, addresses),
            now=utc_now,
        )

    def start(self, every: Every) -> None:
        """Start the job. Logins that have expired go also when no new ones begin, or nobody can begin one any more."""
        logins = SqlDeviceLogins(self.database)
        every(CLEAN_UP_S, "old_device_logins", lambda: logins.forget_expired(utc_now()))

    def own_keys(self, actor: Actor) -> own_keys.Desk:
        """The use cases of own keys on behalf of `actor`, now."""
        provider_ids = self.preset.own_keys.provider_ids
        return own_keys.Desk(SqlAdmin(self.database), self._sealer.keys, random_bytes, provider_ids, actor, utc_now())

    @cached_property
    def key_probes(self) -> KeyProbes:
        return KeyProbes(
            ask=GatewayAsker(self.client),
            limits=self._probe_limits(),
            gateway=gateway_for(self.upstreams, self.preset.split.provider),
            candidates=self.candidates.of,
            catalog=self.catalog,
            rulebook=Rulebook(self.preset),
        )

    def custom_llms(self, actor: Actor) -> LlmDesk:
        """The use cases of custom LLMs on behalf of an administrator, now."""
        rules = self._rules

        async def guard(address: str) -> Problem | None:
            checked = await check_place(address, rules)
            return checked if isinstance(checked, Problem) else None

        prefix = self.preset.custom_llm_prefix
        return LlmDesk(SqlAdmin(self.database), prefix, self._sealer, utc_now(), actor, guard)

    def _probe_limits(self) -> ProbeLimits:
        """This worker's part."""
        settings = self.settings
        share = max(settings.custom_upstreams.probes_per_hour // (settings.instances * settings.workers), 1)
        return ProbeLimits(share, lambda: int(monotonic() * 1000))

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
