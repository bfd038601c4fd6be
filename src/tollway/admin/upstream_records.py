"""Custom upstreams as the use cases see them: what may be shown, and what is stored beside it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum
from typing import Any, Protocol, TypeAlias

from msgspec import UNSET

from tollway.admin.records import AuditEntry
from tollway.errors import Problem
from tollway.identity.owned import CUSTOM_UPSTREAMS, Owner, secret_place
from tollway.identity.sealing import Place, Sealed


@dataclass(frozen=True, slots=True)
class CustomUpstream:
    """All of a row but its secrets. `last_four`: of the key, "" of a short one and of none."""

    id: str
    owner: Owner
    provider_id: str
    display_name: str
    base_url: str
    model_metadata: Mapping[str, Any]
    is_enabled: bool
    has_key: bool
    last_four: str
    header_names: tuple[str, ...]
    created_at: datetime
    updated_at: datetime
    created_by: str

    @property
    def key_place(self) -> Place:
        return secret_place(CUSTOM_UPSTREAMS, "sealed_key", self.id, self.owner, self.provider_id)

    @property
    def headers_place(self) -> Place:
        return secret_place(CUSTOM_UPSTREAMS, "sealed_headers", self.id, self.owner, self.provider_id)


@dataclass(frozen=True, slots=True)
class SealedUpstream:
    """A whole row."""

    upstream: CustomUpstream
    sealed_key: Sealed | None = field(repr=False)
    sealed_headers: Sealed | None = field(repr=False)


@dataclass(frozen=True, slots=True)
class NewUpstream:
    """As somebody entered it; whatever JSON they sent."""

    provider_id: object
    display_name: object
    base_url: object
    api_key: object = field(repr=False)
    extra_headers: object = field(default=None, repr=False)
    model_metadata: object = field(default_factory=dict)
    is_enabled: object = True


@dataclass(frozen=True, slots=True)
class UpstreamChange:
    """What is to be different, as somebody entered it; what is UNSET stays. `extra_headers` None removes them."""

    provider_id: object = UNSET
    display_name: object = UNSET
    base_url: object = UNSET
    api_key: object = field(default=UNSET, repr=False)
    extra_headers: object = field(default=UNSET, repr=False)
    model_metadata: object = UNSET
    is_enabled: object = UNSET


class Addition(Enum):
    DONE = "done"
    TAKEN = "taken"  # the owner has one with this provider id
    FULL = "full"  # the owner has as many as one may have


Decided: TypeAlias = tuple[SealedUpstream, AuditEntry | None]
Decide: TypeAlias = Callable[[SealedUpstream], Decided | Problem]


class UpstreamStore(Protocol):
    """Rows of one owner; those of others do not exist. An audit entry is written with the change, or neither is."""

    async def list_upstreams(self, owner: Owner) -> tuple[CustomUpstream, ...]:
        """Newest first. What is sealed is not read."""
        ...

    async def find_upstream(self, owner: Owner, named: str) -> SealedUpstream | None:
        """The owner's row with this id, else with this provider id."""
        ...

    async def add_upstream(self, row: SealedUpstream, most: int, audit: AuditEntry | None) -> Addition:
        """`most`: what one owner may have."""
        ...

    async def change_upstream(self, owner: Owner, upstream_id: str, decide: Decide) -> CustomUpstream | Problem | None:
        """What `decide` makes of the row, which nobody else changes meanwhile. It may be asked several times. None when
        the owner has no such row; a conflict when another row of theirs has the provider id."""
        ...

    async def remove_upstream(self, owner: Owner, upstream_id: str, audit: AuditEntry | None) -> bool:
        """False when the owner has no such row."""
        ...
