"""Which rule decides who serves a request; and the routes that callers bring along, which outrank the operator's.

Source: request-path 8.1, 12.2.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from msgspec import Struct

from tollway.catalog.model import FREE, Model, Offer
from tollway.identity.base_url import BaseUrl, read_base_url
from tollway.identity.extra_headers import ExtraHeaders, HeaderRule, read_extra_headers
from tollway.identity.master_keys import sealing_keys
from tollway.identity.outbound import OutboundRules, outbound_rules
from tollway.identity.owned import Owned, StoredUpstream
from tollway.identity.sealing import SealError, SealingKeys, unseal
from tollway.providers.custom import custom_upstream
from tollway.providers.own_keys import OwnKey
from tollway.providers.registry import Origin, Upstream
from tollway.settings import Settings

# What is assumed of models whose owner says nothing about them. They bound no money: nobody here pays for them.
CONTEXT_LENGTH: Final = 200_000
COMPLETION_TOKENS_MAX: Final = 32_000


class Rule(StrEnum):
    """What decided who serves a request; the first that matches, from the top."""

    CUSTOM_UPSTREAM = "custom_upstream"
    OWN_KEYS = "own_keys"
    CUSTOM_LLM = "custom_llm"
    SPLIT = "split"
    HOSTED_MODEL = "hosted_model"
    DEFAULT = "default"


class OwnRoute(Struct, frozen=True):
    """A way that the caller's side has for this model, and pays for.

    `model` and `upstream`: of an endpoint of theirs; None for own keys, which are used at the second gateway for a
    model of the catalog. `is_byok`: nobody is charged here. `bypasses_access_check`: the organization's lists and the
    balance do not count.
    """

    rule: Rule
    is_byok: bool
    bypasses_access_check: bool
    model: Model | None = None
    upstream: Upstream | None = None
    keys: tuple[OwnKey, ...] = ()


def is_byok(own: OwnRoute | None) -> bool:
    """Whether the caller's side pays the upstream itself."""
    return own is not None and own.is_byok


@dataclass(frozen=True, slots=True)
class Unusable:
    """A row matches and cannot be used, so nobody else may serve the request. `reason` is for the log; it quotes no
    secret."""

    rule: Rule
    provider_id: str
    reason: str


class Precedence:
    """Finds the own route for a model, if there is one."""

    def __init__(self, keys: SealingKeys, outbound: OutboundRules, *, takes_custom_upstreams: bool) -> None:
        self._keys = keys
        self._outbound = outbound
        self._takes_custom_upstreams = takes_custom_upstreams

    def find(self, owned: Owned, model: str) -> OwnRoute | Unusable | None:
        """The route of the first rule that matches `model` (in the caller's spelling), or why it cannot be taken."""
        if owned.upstreams and self._takes_custom_upstreams:
            provider_id, _, upstream_model = model.partition("/")
            row = owned.upstreams.get(provider_id.lower()) if upstream_model else None
            if row is not None:
                return self._custom_upstream(row, upstream_model)
        return None

    def _custom_upstream(self, row: StoredUpstream, asked: str) -> OwnRoute | Unusable:
        """Secrets are opened for each request and not kept."""
        address = read_base_url(row.base_url, self._outbound)
        if not isinstance(address, BaseUrl):
            return Unusable(Rule.CUSTOM_UPSTREAM, row.provider_id, f"its address breaks a rule: {address}")
        try:
            key = unseal(row.sealed_key, row.key_place, self._keys)
            headers = self._headers(row)
        except SealError as error:
            return Unusable(Rule.CUSTOM_UPSTREAM, row.provider_id, str(error))
        if isinstance(headers, HeaderRule):
            return Unusable(Rule.CUSTOM_UPSTREAM, row.provider_id, f"its headers {headers}")
        origin = Origin(address.scheme, address.host, address.port, is_guarded=True)
        upstream = custom_upstream(row.base_url, origin, address.path, key, headers)
        sent = row.models.get(asked.lower(), asked)
        offer = Offer(upstream.id, sent, FREE)
        model = Model(f"{row.provider_id}/{asked.lower()}", sent, CONTEXT_LENGTH, COMPLETION_TOKENS_MAX, (offer,))
        return OwnRoute(Rule.CUSTOM_UPSTREAM, True, True, model, upstream)

    def _headers(self, row: StoredUpstream) -> ExtraHeaders | HeaderRule:
        """Raises SealError."""
        if row.sealed_headers is None:
            return {}
        return read_extra_headers(unseal(row.sealed_headers, row.headers_place, self._keys).encode())


def precedence_of(settings: Settings) -> Precedence:
    """As the operator set it. Raises SettingsError."""
    takes = settings.custom_upstreams.enabled
    return Precedence(sealing_keys(settings), outbound_rules(settings), takes_custom_upstreams=takes)
