"""What identity needs from storage. Rows come back as dataclasses with named columns only."""

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from tollway.identity.caller import Role
from tollway.identity.organization import NO_SETTINGS, TEAMS, OrganizationSettings
from tollway.identity.owned import Owned, Owner
from tollway.money import Microdollars


@dataclass(frozen=True, slots=True)
class UserRow:
    """`blocked_reason` set means refused; `pepper` None accepts any otherwise valid token (taken-over accounts).

    `has_paid`: at least one payment of theirs is booked, for themselves or for an organization (request-path 9.4).
    """

    id: str
    email: str
    pepper: str | None
    blocked_reason: str | None
    has_paid: bool = False


@dataclass(frozen=True, slots=True)
class KeyRow:
    """An API key as stored. `secret_hash` is HMAC-SHA-256 hex of the whole key under the server pepper.

    `model_allow_list`: which models it is for, as organizations list them; empty: all.
    """

    id: str
    secret_hash: str
    user_id: str
    organization_id: str | None
    label: str
    last_four: str
    limit_microdollars: Microdollars | None
    expires_at: datetime | None
    revoked_at: datetime | None
    created_at: datetime
    model_allow_list: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class MembershipRow:
    """A user's place in an organization that is not deleted, and what that organization decides for its members.

    `daily_limit` None means unlimited. `require_seats`: members are paid for by seat, their daily limits do not count.
    """

    organization_id: str
    user_id: str
    role: Role
    daily_limit: Microdollars | None
    plan: str = TEAMS
    settings: OrganizationSettings = NO_SETTINGS
    require_seats: bool = False


@dataclass(frozen=True, slots=True)
class Changes:
    """`revision` is another number after every change. `subjects` are the users and organizations that changed, with
    whatever is theirs; None: it may be anybody."""

    revision: int
    subjects: frozenset[str] | None


class IdentityStore(Protocol):
    """Raises StoreUnavailableError when the database cannot answer."""

    async def user(self, user_id: str) -> UserRow | None: ...

    async def key_by_hash(self, secret_hash: str) -> tuple[KeyRow, UserRow] | None: ...

    async def membership(self, organization_id: str, user_id: str) -> MembershipRow | None:
        """None when not a member or the organization is deleted."""
        ...

    async def owned(self, owner: Owner) -> Owned:
        """What is enabled of all that the owner brings along."""
        ...

    async def changes(self, since: int | None) -> Changes:
        """What has changed of any user, key, payment, organization, membership, limit, own key or custom upstream
        since the revision `since`; None: since ever."""
        ...
