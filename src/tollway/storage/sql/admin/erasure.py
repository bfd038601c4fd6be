"""Soft delete of a user: the row stays, under a pseudonym, and with it everything that money was booked by.

What becomes of each table that names users is said once, in FATES; a contract test demands an answer for every table.
Source: catalog-and-clients F.6; guarantees P3.
"""

import re
from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import Any, Final

from sqlalchemy import Connection, Text, bindparam, delete, func, select, update

from tollway.admin.records import SOFT_DELETED
from tollway.admin.store import Erasure
from tollway.identity.caller import Role
from tollway.storage.sql.accounting_tables import subscriptions
from tollway.storage.sql.admin.erased_usage import forget_particulars, shared_origins
from tollway.storage.sql.admin.rows import SqlSubject
from tollway.storage.sql.audit_tables import audit_log
from tollway.storage.sql.identity_changes import note_change
from tollway.storage.sql.management_tables import device_logins, invitations, stored_answers
from tollway.storage.sql.observation_tables import analytics_events, api_metrics
from tollway.storage.sql.own_tables import byok_keys, custom_upstreams
from tollway.storage.sql.tables import api_keys, free_model_usage, member_limits, memberships, organizations, users
from tollway.storage.sql.transcript_tables import request_log

DELETED_NAME: Final = "Deleted User"


class Fate(StrEnum):
    """What becomes of the rows that are a user's."""

    DELETE = "delete"
    ANONYMISE = "anonymise"
    UNLINK = "unlink"
    KEEP = "keep"


FATES: Final[Mapping[str, Fate]] = {
    "users": Fate.ANONYMISE,
    "api_keys": Fate.ANONYMISE,  # revoked, label and last use gone
    "memberships": Fate.DELETE,
    "member_limits": Fate.DELETE,
    "byok_keys": Fate.DELETE,  # their own; an organization's stay, whoever made them
    "custom_upstreams": Fate.DELETE,
    "request_log": Fate.DELETE,  # also those for an organization: they hold what the user wrote
    "free_model_usage": Fate.UNLINK,
    "invitations": Fate.DELETE,  # theirs, and those that ask them
    "device_logins": Fate.DELETE,
    "stored_answers": Fate.DELETE,
    "api_metrics": Fate.UNLINK,
    "analytics_events": Fate.DELETE,
    "usage": Fate.KEEP,  # what it says besides money goes: erased_usage.py
    "usage_days": Fate.KEEP,  # sums of that
    "usage_key_days": Fate.KEEP,
    "subscriptions": Fate.KEEP,  # they belong to the books
    "subscription_events": Fate.KEEP,
    "credit_transactions": Fate.KEEP,
}

_DELETE: Final = tuple(
    delete(table).where(table.c.user_id == bindparam("erased"))
    for table in (
        analytics_events,
        byok_keys,
        custom_upstreams,
        member_limits,
        memberships,
        invitations,
        device_logins,
        stored_answers,
        request_log,
    )
)
_SUBSCRIBED: Final = select(subscriptions.c.id).where(
    subscriptions.c.user_id == bindparam("erased"),
    subscriptions.c.status == "active",
    subscriptions.c.is_cancelling.is_(False),
)
_ASKED: Final = delete(invitations).where(invitations.c.email == bindparam("address"))
_NAMING: Final = select(audit_log.c.id, audit_log.c.message).where(
    func.lower(audit_log.c.message).contains(bindparam("address", type_=Text), autoescape=False)
)
_STRIP: Final = update(audit_log).where(audit_log.c.id == bindparam("which")).values(message=bindparam("stripped"))
_REVOKE: Final = (
    update(api_keys)
    .where(api_keys.c.user_id == bindparam("erased"))
    .values(
        label="",
        last_used_at=None,
        revoked_at=func.coalesce(api_keys.c.revoked_at, bindparam("now", type_=api_keys.c.revoked_at.type)),
    )
)
_UNLINK: Final = tuple(
    update(table).where(table.c.user_id == bindparam("erased")).values(user_id=None)
    for table in (api_metrics, free_model_usage)
)
_USER: Final = (
    select(users.c.id, users.c.email, users.c.blocked_reason).where(users.c.id == bindparam("erased")).with_for_update()
)
ANONYMISED: Final[Mapping[str, Any]] = {  # that it was a service account tells nothing about a person, so that stays
    "email": bindparam("email"),
    "name": DELETED_NAME,
    "pepper": bindparam("pepper"),
    "blocked_reason": bindparam("reason"),
    "is_admin": False,
    "updated_at": bindparam("now"),
}
_ANONYMISE: Final = update(users).where(users.c.id == bindparam("erased")).values(ANONYMISED)
_OWNED: Final = select(memberships.c.organization_id).where(
    memberships.c.user_id == bindparam("erased"), memberships.c.role == Role.OWNER.value
)
_LOCK: Final = (
    select(organizations.c.id)
    .where(organizations.c.id.in_(_OWNED), organizations.c.deleted_at.is_(None))
    .order_by(organizations.c.id)
    .with_for_update()
)
_OTHER_OWNERS: Final = (
    select(memberships.c.organization_id)
    .where(memberships.c.user_id != bindparam("erased"), memberships.c.role == Role.OWNER.value)
    .distinct()
)


class SqlErasure(SqlSubject):
    async def erase_user(self, user_id: str, pepper: str, now: datetime) -> Erasure:
        who = {"erased": user_id}
        shared = await shared_origins(self._database, user_id)

        def work(connection: Connection) -> Erasure:
            user = connection.execute(_USER, who).first()
            if user is None:
                return Erasure.NO_USER
            if user.blocked_reason and user.blocked_reason.startswith(SOFT_DELETED):
                return Erasure.DONE
            if _is_last_owner(connection, who):
                return Erasure.LAST_OWNER
            if connection.execute(_SUBSCRIBED, who).first() is not None:
                return Erasure.SUBSCRIBED
            for statement in (*_DELETE, *_UNLINK):
                connection.execute(statement, who)
            connection.execute(_ASKED, {"address": user.email})
            _strip(connection, user.email, user_id)
            forget_particulars(connection, user_id, shared)
            connection.execute(_REVOKE, {**who, "now": now})
            connection.execute(_ANONYMISE, {**who, **_pseudonym(user_id, pepper, now)})
            note_change(connection, user_id)
            return Erasure.DONE

        return await self._database.write(work)


def _is_last_owner(connection: Connection, who: Mapping[str, str]) -> bool:
    """The organizations stay locked, so that two owners cannot go at once."""
    owned = set(connection.execute(_LOCK, who).scalars())
    if not owned:
        return False
    others = _OTHER_OWNERS.where(memberships.c.organization_id.in_(owned))
    return bool(owned - set(connection.execute(others, who).scalars()))


def _strip(connection: Connection, email: str, user_id: str) -> None:
    """Out of what the audit log tells."""
    named = re.compile(rf"(?<!\S){re.escape(email)}(?!\S)", re.IGNORECASE)
    for row in connection.execute(_NAMING, {"address": email}).all():
        stripped = named.sub(_pseudonym_address(user_id), row.message)
        connection.execute(_STRIP, {"which": row.id, "stripped": stripped})


def _pseudonym_address(user_id: str) -> str:
    return f"deleted+{user_id}@deleted.invalid"


def _pseudonym(user_id: str, pepper: str, now: datetime) -> dict[str, Any]:
    reason = f"{SOFT_DELETED}{now.isoformat().replace('+00:00', 'Z')}"
    return {"email": _pseudonym_address(user_id), "pepper": pepper, "reason": reason, "now": now}
