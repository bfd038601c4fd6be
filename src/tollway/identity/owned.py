"""What a user or an organization brings along: keys for inference providers, endpoints, models. As it is stored.

It is read together with the caller and kept with them, so a request asks no database, and whoever owns nothing carries
None. Secrets stay sealed until a request needs one. Source: request-path 8.2, 8.3, 12.1, 12.2.
"""

from enum import StrEnum
from typing import Final

from msgspec import Struct

from tollway.identity.sealing import Place, Sealed
from tollway.wire.dialects.parameters import ModelOptions

BYOK_KEYS: Final = "byok_keys"
CUSTOM_UPSTREAMS: Final = "custom_upstreams"
CUSTOM_LLMS: Final = "custom_llms"


class OwnerKind(StrEnum):
    USER = "user"
    ORGANIZATION = "organization"
    DEPLOYMENT = "deployment"  # the operator, of models that organizations are given


class Owner(Struct, frozen=True):
    """Whose something is. `id` is empty for the deployment."""

    kind: OwnerKind
    id: str


DEPLOYMENT: Final = Owner(OwnerKind.DEPLOYMENT, "")


class StoredKey(Struct, frozen=True):
    """An enabled key for the inference provider `provider_id` (`anthropic`, `bedrock`, …)."""

    id: str
    owner: Owner
    provider_id: str
    sealed: Sealed

    @property
    def place(self) -> Place:
        return secret_place(BYOK_KEYS, "sealed_key", self.id, self.owner, self.provider_id)


class StoredUpstream(Struct, frozen=True):
    """An enabled endpoint. `models` has the stored spelling of its model ids by their lower-cased form."""

    id: str
    owner: Owner
    provider_id: str
    base_url: str
    sealed_key: Sealed
    sealed_headers: Sealed | None
    models: dict[str, str]

    @property
    def key_place(self) -> Place:
        return secret_place(CUSTOM_UPSTREAMS, "sealed_key", self.id, self.owner, self.provider_id)

    @property
    def headers_place(self) -> Place:
        return secret_place(CUSTOM_UPSTREAMS, "sealed_headers", self.id, self.owner, self.provider_id)


class StoredLlm(Struct, frozen=True):
    """A custom LLM: a model that the operator has somewhere, for the organizations that are given it. `vendor` is whose
    API it speaks. It is the deployment's, so whoever uses it sees nothing of where it is. `is_guarded`: an
    administrator said where that is, so it is looked at before every connection."""

    vendor: str
    base_url: str
    sealed_key: Sealed
    options: ModelOptions
    is_guarded: bool = False

    @property
    def place(self) -> Place:
        return llm_place(self.options.public_id)


class Owned(Struct, frozen=True):
    """All that one owner has, in order of creation: `keys`; by provider id: `upstreams`; and by public id the `llms`
    that an organization was given."""

    keys: tuple[StoredKey, ...] = ()
    upstreams: dict[str, StoredUpstream] = {}
    llms: dict[str, StoredLlm] = {}

    def __bool__(self) -> bool:
        return bool(self.keys or self.upstreams or self.llms)


def secret_place(table: str, column: str, row_id: str, owner: Owner, provider_id: str) -> Place:
    """Where a secret of that owner lies."""
    return Place(table, column, row_id, owner.kind.value, owner.id, provider_id)


def llm_place(public_id: str) -> Place:
    """Where the key of a custom LLM lies."""
    return secret_place(CUSTOM_LLMS, "sealed_key", public_id, DEPLOYMENT, "")
