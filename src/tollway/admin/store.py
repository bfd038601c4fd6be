"""What administration needs from storage. Every change is one transaction that also bumps the identity revision.

Ids and instants are drawn by the use case, so that a transaction may be run again under the same id without doubling.
All methods raise StoreUnavailableError when the database cannot answer.
"""

from collections.abc import Callable, Mapping
from datetime import datetime
from enum import Enum
from typing import Any, Protocol, TypeAlias

from tollway.admin.llm_records import LlmStore
from tollway.admin.records import (
    EVERY_ENTRY,
    AccountBalance,
    ApiKey,
    AuditEntry,
    AuditFilter,
    Credited,
    CreditTransaction,
    Founder,
    Invitation,
    KeyScope,
    Member,
    Membership,
    Organization,
    OrganizationChange,
    Page,
    StoredOwnKey,
    StoredTopUp,
    TopUpChange,
    Uncredited,
    User,
    UserChange,
)
from tollway.admin.subscription_records import SubscriptionStore
from tollway.admin.upstream_records import UpstreamStore
from tollway.billing.ledger import BudgetRef
from tollway.identity.caller import Role
from tollway.identity.owned import Owner
from tollway.identity.sealing import Sealed
from tollway.identity.store import KeyRow


class UserStore(Protocol):
    async def add_user(self, user: User, pepper: str) -> bool:
        """False when the e-mail address is taken."""
        ...

    async def find_user(self, id_or_email: str) -> User | None: ...

    async def list_users(self, page: Page) -> tuple[User, ...]: ...

    async def change_user(self, user_id: str, change: UserChange, now: datetime) -> User | None:
        """Only what the change names. None when the e-mail address is another user's."""
        ...

    async def set_admin(self, user_id: str, is_admin: bool, now: datetime) -> User | None:
        """None when there is no such user."""
        ...

    async def set_blocked(self, user_id: str, reason: str | None, now: datetime) -> User | None:
        """None when there is no such user."""
        ...

    async def set_pepper(self, user_id: str, pepper: str, now: datetime) -> User | None:
        """None when there is no such user."""
        ...


class Removal(Enum):
    """How a change of a membership ended. CHANGED: somebody else changed the role in the meantime."""

    DONE = "done"
    NO_MEMBER = "no member"
    LAST_OWNER = "last owner"
    CHANGED = "changed"


AuditOf: TypeAlias = Callable[[Organization, Organization], AuditEntry | None]  # of what it was and what it is


class OrganizationStore(Protocol):
    async def add_organization(
        self, organization: Organization, founder: Founder | None = None, audit: AuditEntry | None = None
    ) -> bool:
        """With its founder as owner. False when they belong to as many as they may."""
        ...

    async def find_organizations(self, id_or_name: str) -> tuple[Organization, ...]:
        """The one with this id, else all with this name; deleted ones are not found."""
        ...

    async def list_organizations(self, page: Page) -> tuple[Organization, ...]: ...

    async def change_organization(
        self, organization_id: str, change: OrganizationChange, now: datetime, audit: AuditOf | None = None
    ) -> Organization | None:
        """Only what the change names, so that changes at the same time all last. None when there is none."""
        ...

    async def list_memberships(self, user_id: str) -> tuple[Membership, ...]:
        """Of organizations that are not deleted, newest first."""
        ...

    async def delete_organization(self, organization_id: str, now: datetime, audit: AuditEntry | None) -> None:
        """It is not found any more; its stored secrets are gone, and it has no custom LLMs. Once more changes
        nothing."""
        ...


class MemberStore(Protocol):
    async def add_member(
        self, member: Member, membership_id: str, now: datetime, audit: AuditEntry | None = None
    ) -> bool:
        """False when the user is a member already."""
        ...

    async def list_members(self, organization_id: str) -> tuple[Member, ...]: ...

    async def remove_member(
        self, organization_id: str, user_id: str, role: Role | None = None, audit: AuditEntry | None = None
    ) -> Removal:
        """`role`: that the member must have, if any."""
        ...

    async def change_role(self, member: Member, role: Role, now: datetime, audit: AuditEntry | None) -> Removal:
        """From the role that `member` has to `role`."""
        ...

    async def set_daily_limit(self, member: Member, limit_id: str, audit: AuditEntry | None = None) -> None:
        """Set, or with None lift, what the member may spend per UTC day."""
        ...


class KeyStore(Protocol):
    async def add_key(self, key: KeyRow, audit: AuditEntry | None = None) -> bool:
        """False when the user is not a member of the key's organization."""
        ...

    async def list_keys(self, page: Page, user_id: str | None, organization_id: str | None) -> tuple[ApiKey, ...]: ...

    async def revoke_key(self, key_id: str, now: datetime) -> ApiKey | None:
        """None when there is no such key. A revoked key keeps the time it was first revoked."""
        ...

    async def list_keys_in(self, page: Page, scope: KeyScope) -> tuple[ApiKey, ...]: ...

    async def find_key(self, key_id: str, scope: KeyScope) -> ApiKey | None: ...

    async def change_key(
        self, key_id: str, scope: KeyScope, values: Mapping[str, Any], audit: AuditEntry | None
    ) -> ApiKey | None:
        """Columns of a key that is in the scope and not revoked; None when there is none."""
        ...


class Inviting(Enum):
    DONE = "done"
    PENDING = "pending"
    MEMBER = "member"


class InvitationStore(Protocol):
    """Of organizations that are not deleted."""

    async def add_invitation(self, invitation: Invitation, token_hash: str, audit: AuditEntry | None) -> Inviting: ...

    async def list_invitations(self, organization_id: str, page: Page) -> tuple[Invitation, ...]: ...

    async def revoke_invitation(
        self, organization_id: str, invitation_id: str, now: datetime, audit: Callable[[Invitation], AuditEntry]
    ) -> Invitation | None:
        """None when there is no such one that is pending."""
        ...

    async def accept_invitation(
        self,
        token_hash: str,
        user: User,
        membership_id: str,
        now: datetime,
        audit: Callable[[Invitation], AuditEntry],
    ) -> Member | None:
        """Once; None when nobody of that address is asked by it, or not any more."""
        ...


class CreditStore(Protocol):
    async def add_credit(
        self,
        account: BudgetRef,
        credit: CreditTransaction,
        audit: AuditEntry | None = None,
        *,
        once_per_category: bool = False,
    ) -> Credited | Uncredited:
        """Transaction row, ledger entry and budget together. Raises MoneyOverflowError beyond 64 bits."""
        ...

    async def refund_credit(
        self, account: BudgetRef, credit: CreditTransaction, audit: AuditEntry | None = None
    ) -> AccountBalance | None:
        """The same with an amount below 0; None, and nothing done, when less is available."""
        ...

    async def list_credits(self, account: BudgetRef, page: Page) -> tuple[CreditTransaction, ...]: ...

    async def account_balance(self, account: BudgetRef) -> AccountBalance: ...


class TopUpStore(Protocol):
    async def find_top_up(self, account: BudgetRef) -> StoredTopUp | None: ...

    async def set_top_up(
        self, account: BudgetRef, change: TopUpChange, now: datetime, audit: AuditEntry | None
    ) -> StoredTopUp | None:
        """None where there was none and the change names no amount. The entry is written if anything is different."""
        ...


class OwnKeyStore(Protocol):
    """Keys of one owner; those of others do not exist. An audit entry is written with the change, or neither is."""

    async def list_own_keys(self, owner: Owner) -> tuple[StoredOwnKey, ...]:
        """In order of creation."""
        ...

    async def sealed_own_key(self, owner: Owner, key_id: str) -> Sealed | None:
        """The key itself, sealed, enabled or not. None when there is no such key."""
        ...

    async def add_own_key(self, row: StoredOwnKey, sealed: Sealed, audit: AuditEntry | None) -> bool:
        """False when the owner has one for that provider."""
        ...

    async def replace_own_key(
        self, owner: Owner, key_id: str, sealed: Sealed, last_four: str, now: datetime, audit: AuditEntry | None
    ) -> StoredOwnKey | None:
        """None when there is no such key."""
        ...

    async def enable_own_key(
        self, owner: Owner, key_id: str, enabled: bool, now: datetime, audit: AuditEntry | None
    ) -> StoredOwnKey | None:
        """None when there is no such key."""
        ...

    async def delete_own_key(self, owner: Owner, key_id: str, audit: AuditEntry | None) -> bool: ...

    async def list_audit(
        self, organization_id: str, page: Page, wanted: AuditFilter = EVERY_ENTRY
    ) -> tuple[AuditEntry, ...]: ...


class Erasure(Enum):
    DONE = "done"
    NO_USER = "no user"
    LAST_OWNER = "last owner"
    SUBSCRIBED = "subscribed"


class ErasureStore(Protocol):
    async def erase_user(self, user_id: str, pepper: str, now: datetime) -> Erasure:
        """Soft delete: see `storage/sql/admin/erasure.py`. Of one that was deleted already nothing changes."""
        ...


class AdminStore(
    UserStore,
    OrganizationStore,
    MemberStore,
    InvitationStore,
    KeyStore,
    CreditStore,
    SubscriptionStore,
    TopUpStore,
    OwnKeyStore,
    UpstreamStore,
    LlmStore,
    ErasureStore,
    Protocol,
):
    """All of it, as the command line and the management API hold it."""
