"""Rows of `identity_changes`: whom a change is about, so that processes drop what they keep about those only.

Runs inside the transaction of `connection`. The revision's row is locked from a change to its commit, so numbers are
given in the order of commits, and who has read one has read all changes up to it.
"""

from typing import Final

from sqlalchemy import Connection, bindparam, delete, insert, select, update

from tollway.identity.store import Changes
from tollway.storage.sql.tables import deployment, identity_changes

KEPT_MAX: Final = 1_000  # revisions; whoever has missed more drops everything

_IS_REVISION: Final = deployment.c.key == "identity_revision"
_RAISE: Final = update(deployment).where(_IS_REVISION).values(value=deployment.c.value + 1)
_REVISION: Final = select(deployment.c.value).where(_IS_REVISION)
_NOTE: Final = insert(identity_changes)
_FORGET: Final = delete(identity_changes).where(identity_changes.c.revision <= bindparam("until"))
_SINCE: Final = select(identity_changes.c.revision, identity_changes.c.subject).where(
    identity_changes.c.revision > bindparam("since"), identity_changes.c.revision <= bindparam("until")
)


def note_change(connection: Connection, *subjects: str) -> None:
    """Tell every process, through the revision they poll, to drop what they keep about these users and organizations;
    without any: about everybody."""
    connection.execute(_RAISE)
    revision = connection.execute(_REVISION).scalar_one()
    rows = [{"revision": revision, "subject": subject} for subject in dict.fromkeys(subjects)]
    if rows:
        connection.execute(_NOTE, rows)
        connection.execute(_FORGET, {"until": revision - KEPT_MAX})


def read_revision(connection: Connection) -> int:
    return connection.execute(_REVISION).scalar() or 0


def read_changes(connection: Connection, since: int | None) -> Changes:
    """What has changed since that revision; None: nothing is known yet."""
    revision = read_revision(connection)
    if since is None or not since < revision <= since + KEPT_MAX:
        return Changes(revision, frozenset() if since == revision else None)
    rows = connection.execute(_SINCE, {"since": since, "until": revision}).all()
    if len({row.revision for row in rows}) < revision - since:  # by a version that tells nothing, or about everybody
        return Changes(revision, None)
    return Changes(revision, frozenset(row.subject for row in rows))
