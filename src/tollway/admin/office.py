"""What use cases about organizations work with, and how they tell of what they did."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from tollway.admin.ownership import Actor
from tollway.admin.records import AuditEntry
from tollway.admin.store import AdminStore
from tollway.ids import new_id

SETTINGS_CHANGE: Final = "organization.settings.change"
CREATED: Final = "organization.created"
DELETED: Final = "organization.delete"
MEMBER_ADD: Final = "organization.member.add"
MEMBER_REMOVE: Final = "organization.member.remove"
MEMBER_ROLE: Final = "organization.member.change_role"
MEMBER_LIMIT: Final = "organization.member.change_limit"
INVITE: Final = "organization.user.send_invite"
ACCEPT_INVITE: Final = "organization.user.accept_invite"
REVOKE_INVITE: Final = "organization.user.revoke_invite"
TOKEN: Final = "organization.token.generate"  # noqa: S105  (the name of an action)
KEY: Final = "organization.key.change"
CREDITS: Final = "organization.purchase_credits"
GRANT: Final = "organization.promo_credit_granted"


@dataclass(frozen=True, slots=True)
class Office:
    store: AdminStore
    actor: Actor
    now: datetime

    def audit(self, organization_id: str, action: str, message: str) -> AuditEntry:
        """`message`: names and ids, never what is secret."""
        return AuditEntry(new_id(), organization_id, self.actor.name, action, message, self.now)
