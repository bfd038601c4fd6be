"""What the use cases return: values ready to show. Amounts are whole micro-dollars, instants aware UTC."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum
from typing import Any, Final, TypeAlias

from tollway.identity.caller import Role
from tollway.identity.keys import PREFIX
from tollway.identity.organization import NO_SETTINGS, OrganizationSettings
from tollway.identity.owned import Owner

Setting: TypeAlias = tuple[str, ...] | str | int | bool | None  # of an organization, as it is entered
SOFT_DELETED: Final = "soft-deleted at "  # how the reason begins why a deleted user is blocked


@dataclass(frozen=True, slots=True)
class User:
    id: str
    email: str
    name: str
    blocked_reason: str | None
    created_at: datetime
    is_admin: bool = False  # may do everything; set by command alone
    is_bot: bool = False  # a service account: a program, for good


@dataclass(frozen=True, slots=True)
class UserChange:
    """None leaves it."""

    email: str | None = None
    name: str | None = None


@dataclass(frozen=True, slots=True)
class Organization:
    """`require_seats`: daily limits of members do not count."""

    id: str
    name: str
    plan: str
    created_at: datetime
    require_seats: bool = False
    settings: OrganizationSettings = NO_SETTINGS
    stored: Mapping[str, Any] = field(default_factory=dict, compare=False, repr=False)  # all settings, as they lie


@dataclass(frozen=True, slots=True)
class OrganizationChange:
    """What is to be different; None leaves it. `settings`: those named here, an empty list or None removes one."""

    plan: str | None = None
    require_seats: bool | None = None
    settings: Mapping[str, Setting] = field(default_factory=dict)
    name: str | None = None


@dataclass(frozen=True, slots=True)
class Founder:
    """Who makes an organization and owns it; nobody belongs to more than `organizations_max` when they make one."""

    user_id: str
    membership_id: str
    organizations_max: int


@dataclass(frozen=True, slots=True)
class Member:
    """`daily_limit_microdollars` None means unlimited."""

    organization_id: str
    user_id: str
    email: str
    role: Role
    daily_limit_microdollars: int | None
    is_bot: bool = False


@dataclass(frozen=True, slots=True)
class Membership:
    """An organization as one of its members has it."""

    organization: Organization
    role: Role


@dataclass(frozen=True, slots=True)
class Invitation:
    """Somebody is asked to become a member. One that was revoked has expired. `invited_by` None: by the operator."""

    id: str
    organization_id: str
    email: str
    role: Role
    invited_by: str | None
    created_at: datetime
    expires_at: datetime
    accepted_at: datetime | None


@dataclass(frozen=True, slots=True)
class KeyScope:
    """Whose keys are meant: those of both, where both are named. `is_personal`: only those of no organization."""

    user_id: str | None = None
    organization_id: str | None = None
    is_personal: bool = False


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A key without its secret. `spent_microdollars` counts against the limit; it is 0 before the first charge.

    `model_allow_list`: the models it is for; empty: all. `last_used_at`: when the last request that was served with it
    came in, give or take a minute. `prefix`: how the secret begins.
    """

    id: str
    user_id: str
    organization_id: str | None
    label: str
    last_four: str
    limit_microdollars: int | None
    spent_microdollars: int
    expires_at: datetime | None
    revoked_at: datetime | None
    created_at: datetime
    model_allow_list: tuple[str, ...] = ()
    last_used_at: datetime | None = None
    prefix: str = PREFIX


@dataclass(frozen=True, slots=True)
class StoredOwnKey:
    """A key for an inference provider, without its secret. `last_four` is empty for a short one; `created_by`: the id
    of a user, or `operator`."""

    id: str
    owner: Owner
    provider_id: str
    last_four: str
    is_enabled: bool
    created_at: datetime
    updated_at: datetime
    created_by: str


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """A change of an organization. `actor`: the id of a user, or `operator`; what they are called is read with it, so
    it is gone once they are erased."""

    id: str
    organization_id: str
    actor: str
    action: str
    message: str
    created_at: datetime
    actor_email: str | None = None
    actor_name: str | None = None


@dataclass(frozen=True, slots=True)
class AuditFilter:
    """Which entries are meant; None: any. From `since` on, before `until`."""

    since: datetime | None = None
    until: datetime | None = None
    actor: str | None = None
    action: str | None = None


EVERY_ENTRY: Final = AuditFilter()


@dataclass(frozen=True, slots=True)
class CreditTransaction:
    """One grant (`is_free`) or payment. With `organization_id` the organization was credited, and `user_id` paid.

    `payment_id`: whose it is elsewhere; there is one transaction of each.
    """

    id: str
    user_id: str | None
    organization_id: str | None
    amount_microdollars: int
    is_free: bool
    description: str | None
    credit_category: str | None
    expiry_date: datetime | None
    created_at: datetime
    payment_id: str | None = None


@dataclass(frozen=True, slots=True)
class AccountBalance:
    """`balance` = credited − spent; `available` is what is left of it besides what open requests hold."""

    account: str
    credited_microdollars: int
    spent_microdollars: int
    held_microdollars: int
    balance_microdollars: int
    available_microdollars: int


@dataclass(frozen=True, slots=True)
class Credited:
    """`is_repeat`: what was asked for was booked before, under the same `payment_id`, and nothing was done."""

    transaction: CreditTransaction
    balance: AccountBalance
    is_repeat: bool = False


class Uncredited(Enum):
    """Why a credit was not booked: its payment id is that of another one, or the user had one of that category."""

    OTHER = "other"
    ONCE = "once"


@dataclass(frozen=True, slots=True)
class StoredTopUp:
    """An account that wants to be topped up. `disabled_reason` None: it is on."""

    amount_microdollars: int
    disabled_reason: str | None
    attempt_started_at: datetime | None


@dataclass(frozen=True, slots=True)
class TopUpChange:
    """`amount_microdollars` None leaves it. `reason`: why it is off, None where it is on."""

    is_enabled: bool
    amount_microdollars: int | None
    reason: str | None


@dataclass(frozen=True, slots=True)
class Page:
    """A part of a listing, newest first: at most `limit` rows, those that follow the row with the id `before`."""

    limit: int = 100
    before: str | None = None
