"""When API keys were last used: written with the settlement of a request, so a crash loses it no more than the money.

Each worker writes a key once a minute at most, however many requests it is used for; a listing is that much behind.
Rows are written in one order and after everything else, so no settlement waits for another one's keys for ever.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import Connection, bindparam, or_, update

from tollway.billing.ledger import Outcome
from tollway.storage.sql.tables import api_keys

EVERY: Final = timedelta(minutes=1)
KEYS_MAX: Final = 100_000

_NOTE: Final = (
    update(api_keys)
    .where(
        api_keys.c.id == bindparam("used"),
        or_(api_keys.c.last_used_at.is_(None), api_keys.c.last_used_at < bindparam("used_at")),
    )
    .values(last_used_at=bindparam("used_at"))
)


class KeyUse:
    """Remembers what this worker has written. Bounded: beyond KEYS_MAX keys all are forgotten, and written again."""

    def __init__(self) -> None:
        self._due: dict[str, datetime] = {}  # when a use is worth writing again

    def of(self, outcomes: Iterable[Outcome]) -> dict[str, datetime]:
        """By key, the newest use that is to be written."""
        newest: dict[str, datetime] = {}
        for outcome in outcomes:
            record = outcome.record
            key_id = record.key_id
            if key_id is None:
                continue
            used_at, due = record.created_at, self._due.get(key_id)
            if (due is None or used_at >= due) and (key_id not in newest or used_at > newest[key_id]):
                newest[key_id] = used_at
        return newest

    def wrote(self, uses: Mapping[str, datetime]) -> None:
        if len(self._due) + len(uses) > KEYS_MAX:
            self._due.clear()
        for key_id, used_at in uses.items():
            self._due[key_id] = used_at + EVERY


def note_uses(connection: Connection, uses: Mapping[str, datetime]) -> None:
    """Never back: a journal that is replayed later tells of uses that were overtaken."""
    if uses:
        connection.execute(_NOTE, [{"used": key_id, "used_at": uses[key_id]} for key_id in sorted(uses)])
