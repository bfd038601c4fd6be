"""Which rule decides who serves a request; and the routes that callers bring along, which outrank the operator's.

Source: request-path 8.1 to 8.3, 12.2.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from msgspec import Struct

from tollway.catalog.model import FREE, Model, Offer, normal_id
from tollway.catalog.preset import Preset
from tollway.errors import Code
from tollway.identity.base_url import BaseUrl, read_base_url
from tollway.identity.extra_headers import ExtraHeaders, HeaderRule, read_extra_headers
from tollway.identity.master_keys import sealing_keys
from tollway.identity.outbound import OutboundRules, outbound_rules
from tollway.identity.owned import Owned, StoredKey, StoredLlm, StoredUpstream
from tollway.identity.sealing import SealError, SealingKeys, unseal
from tollway.providers.custom import custom_upstream
from tollway.providers.custom_llm import PROVIDERS, custom_llm
from tollway.providers.own_keys import OwnKey, OwnKeyError, read_own_key
from tollway.providers.registry import Origin, Upstream
from tollway.routing.own_keys import KeyCandidates, gateway_for
from tollway.settings import Settings, SettingsError
from tollway.wire.dialects.parameters import ModelOptions

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

    `upstream` serves it: an endpoint of theirs, with `model` as they have it; or, for a model of the catalog (`model`
    is None), the gateway that takes `keys`. `options`: it is a custom LLM, which the operator gave the organization.
    `is_byok`: nobody is charged here. `bypasses_access_check`: the organization's lists and the balance do not count.
    """

    rule: Rule
    is_byok: bool
    bypasses_access_check: bool
    model: Model | None = None
    upstream: Upstream | None = None
    keys: tuple[OwnKey, ...] = ()
    options: ModelOptions | None = None


def is_byok(own: OwnRoute | None) -> bool:
    """Whether the caller's side pays the upstream itself."""
    return own is not None and own.is_byok


@dataclass(frozen=True, slots=True)
class Unusable:
    """A row matches and cannot be used, so nobody else may serve the request. `reason` is for the log; it quotes no
    secret. `code`: what the caller is told."""

    rule: Rule
    provider_id: str
    reason: str
    code: Code = Code.CREDENTIAL_UNAVAILABLE


class Precedence:
    """Finds the own route for a model, if there is one. Own keys are used at `gateway`; None: it is not configured."""

    def __init__(
        self,
        keys: SealingKeys,
        outbound: OutboundRules,
        *,
        takes_custom_upstreams: bool,
        candidates: KeyCandidates | None = None,
        gateway: Upstream | None = None,
        llm_prefix: str = "",
    ) -> None:
        """llm_prefix: what the ids of custom LLMs begin with."""
        self._keys = keys
        self._outbound = outbound
        self._takes_custom_upstreams = takes_custom_upstreams
        self._candidates = candidates
        self._gateway = gateway
        self._llm_prefix = llm_prefix

    def find(self, owned: Owned, model: str, id_of: Callable[[str], str] = normal_id) -> OwnRoute | Unusable | None:
        """The route of the first rule that matches `model` (in the caller's spelling), or why it cannot be taken.

        `id_of` tells the id of the model of the catalog that is meant.
        """
        if owned.upstreams and self._takes_custom_upstreams:
            provider_id, _, upstream_model = model.partition("/")
            row = owned.upstreams.get(provider_id.lower()) if upstream_model else None
            if row is not None:
                return self._custom_upstream(row, upstream_model)
        if owned.keys and self._candidates is not None:
            found = self._own_keys(owned.keys, self._candidates.of(id_of(model)))
            if found is not None:
                return found
        llm = owned.llms.get(normal_id(model)) if owned.llms else None
        return self._custom_llm(llm) if llm and llm.options.public_id.startswith(self._llm_prefix) else None

    def _own_keys(self, rows: tuple[StoredKey, ...], candidates: tuple[str, ...]) -> OwnRoute | Unusable | None:
        """With every key of a candidate, in order of creation; opened for each request and not kept."""
        rows = tuple(row for row in rows if row.provider_id in candidates)
        if not rows:
            return None
        if self._gateway is None:
            why = "no provider that takes own keys is configured"
            return Unusable(Rule.OWN_KEYS, rows[0].provider_id, why, Code.SERVICE_UNAVAILABLE)
        opened = [self._open(row) for row in rows]
        for one in opened:
            if isinstance(one, Unusable):
                return one
        keys = tuple(one for one in opened if isinstance(one, OwnKey))
        return OwnRoute(Rule.OWN_KEYS, True, False, upstream=self._gateway, keys=keys)

    def _open(self, row: StoredKey) -> OwnKey | Unusable:
        try:
            return read_own_key(row.provider_id, unseal(row.sealed, row.place, self._keys))
        except SealError as error:
            return Unusable(Rule.OWN_KEYS, row.provider_id, str(error))
        except OwnKeyError as error:
            return Unusable(Rule.OWN_KEYS, row.provider_id, str(error), Code.OWN_KEY_INVALID)

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
        if not (key and key.isascii() and key.isprintable()):  # it becomes part of a header as it stands
            return Unusable(Rule.CUSTOM_UPSTREAM, row.provider_id, "its key has characters that no header may have")
        origin = Origin(address.scheme, address.host, address.port, is_guarded=True)
        upstream = custom_upstream(row.base_url, origin, address.path, key, headers)
        sent = row.models.get(asked.lower(), asked)
        offer = Offer(upstream.id, sent, FREE)
        model = Model(f"{row.provider_id}/{asked.lower()}", sent, CONTEXT_LENGTH, COMPLETION_TOKENS_MAX, (offer,))
        return OwnRoute(Rule.CUSTOM_UPSTREAM, True, True, model, upstream)

    def _custom_llm(self, row: StoredLlm) -> OwnRoute | Unusable:
        """Nobody here is charged for it, but the operator pays its vendor."""
        options = row.options
        provider = PROVIDERS.get(row.vendor)
        if provider is None:
            why = "the vendor in its row is none that is known here"
            return Unusable(Rule.CUSTOM_LLM, options.public_id, why, Code.INTERNAL_ERROR)
        try:
            key = unseal(row.sealed_key, row.place, self._keys)
            upstream = custom_llm(provider, row.base_url, key, is_guarded=row.is_guarded)
        except SealError as error:
            return Unusable(Rule.CUSTOM_LLM, options.public_id, str(error))
        except SettingsError as error:
            return Unusable(Rule.CUSTOM_LLM, options.public_id, str(error), Code.INTERNAL_ERROR)
        offer = Offer(upstream.id, options.internal_id, FREE)
        model = Model(
            options.public_id,
            options.public_id,
            options.context_length or CONTEXT_LENGTH,
            options.completion_tokens_max or COMPLETION_TOKENS_MAX,
            (offer,),
        )
        return OwnRoute(Rule.CUSTOM_LLM, False, True, model, upstream, options=options)

    def _headers(self, row: StoredUpstream) -> ExtraHeaders | HeaderRule:
        """Raises SealError."""
        if row.sealed_headers is None:
            return {}
        return read_extra_headers(unseal(row.sealed_headers, row.headers_place, self._keys).encode())


def precedence_of(
    settings: Settings, preset: Preset, upstreams: Mapping[str, Upstream], candidates: KeyCandidates
) -> Precedence:
    """As the operator set it. Raises SettingsError."""
    return Precedence(
        sealing_keys(settings),
        outbound_rules(settings),
        takes_custom_upstreams=settings.custom_upstreams.enabled,
        candidates=candidates,
        gateway=gateway_for(upstreams, preset.split.provider),
        llm_prefix=preset.custom_llm_prefix,
    )
