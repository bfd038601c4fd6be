"""Caller: what is known about who sent a request, as a value."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from tollway.identity.owned import Owned
from tollway.identity.policy import OrganizationPolicy
from tollway.money import Microdollars

NO_LIST: Final[frozenset[str]] = frozenset()


class Role(StrEnum):
    OWNER = "owner"
    MEMBER = "member"
    BILLING_MANAGER = "billing_manager"


@dataclass(frozen=True, slots=True)
class Caller:
    """An authenticated caller, or somebody of whom only the address is known (`is_anonymous`).

    `organization_id` is set only after the membership was read from the database; `key_id` only for API keys, and
    `key_models` only for those that are for some models alone; empty: for all.
    `member_daily_limit` (µ$ per UTC day) applies inside the organization; None means unlimited. `policy` is what the
    organization restricts; None: nothing. `has_paid`: the user ever did, for anyone; it decides the text of a 402.
    `owned`: what the organization, or without one the user, brings along; None: nothing. `keeps_prompts` and
    `keeps_requests`: the organization wants text of its requests kept, and the operator permits it.
    """

    user_id: str
    email: str
    organization_id: str | None = None
    role: Role | None = None
    member_daily_limit: Microdollars | None = None
    key_id: str | None = None
    key_limit: Microdollars | None = None
    key_models: frozenset[str] = NO_LIST
    bot_id: str | None = None
    token_source: str | None = None
    policy: OrganizationPolicy | None = None
    has_paid: bool = False
    owned: Owned | None = None
    keeps_prompts: bool = False
    keeps_requests: bool = False
    is_anonymous: bool = False  # `user_id` is no user's then, and `email` is empty

    def __hash__(self) -> int:
        return hash((self.user_id, self.key_id))  # what follows from a caller is cached: all the fields cost ten times


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a credential was not accepted: for the log only, the caller sees one body for all (guarantees A2)."""

    reason: str
    user_id: str | None = None
