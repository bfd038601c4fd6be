"""SqlAdmin: implements AdminStore on SQLite and PostgreSQL."""

from tollway.storage.sql.admin.audit import SqlAudit
from tollway.storage.sql.admin.credits import SqlCredits
from tollway.storage.sql.admin.custom_llms import SqlLlms
from tollway.storage.sql.admin.erasure import SqlErasure
from tollway.storage.sql.admin.invitations import SqlInvitations
from tollway.storage.sql.admin.keys import SqlKeys
from tollway.storage.sql.admin.members import SqlMembers
from tollway.storage.sql.admin.organizations import SqlOrganizations
from tollway.storage.sql.admin.own_keys import SqlOwnKeys
from tollway.storage.sql.admin.subscriptions import SqlSubscriptionDesk
from tollway.storage.sql.admin.top_ups import SqlTopUps
from tollway.storage.sql.admin.upstreams import SqlUpstreams
from tollway.storage.sql.admin.users import SqlUsers


class SqlAdmin(
    SqlUsers,
    SqlOrganizations,
    SqlMembers,
    SqlInvitations,
    SqlKeys,
    SqlCredits,
    SqlSubscriptionDesk,
    SqlTopUps,
    SqlOwnKeys,
    SqlUpstreams,
    SqlLlms,
    SqlErasure,
    SqlAudit,
):
    """`SqlAdmin(database)`."""
