"""Rows of `ledger_entries`."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, bindparam, insert, select

from tollway.billing.ledger import Posting
from tollway.storage.sql.bulk import Bulk
from tollway.storage.sql.tables import ledger_entries

ENTRIES: Final = Bulk(
    ledger_entries, "source_id", "kind", "debit_account", "credit_account", "amount_microdollars", "created_at"
)

_INSERT: Final = insert(ledger_entries)


def entry_row(source_id: str, posting: Posting, now: Any) -> tuple[Any, ...]:
    """A row of ENTRIES; `now` in the database's own form."""
    return source_id, posting.kind._value_, posting.debit, posting.credit, posting.amount, now


def post(
    connection: Connection, source_id: str, postings: Iterable[Posting], now: datetime, *, memo: str | None = None
) -> None:
    """Insert a few entries of one request or credit transaction. A second one of a kind is refused by the database."""
    for posting in postings:
        row = {
            "source_id": source_id,
            "kind": posting.kind.value,
            "debit_account": posting.debit,
            "credit_account": posting.credit,
            "amount_microdollars": posting.amount,
            "memo": memo,
            "created_at": now,
        }
        connection.execute(_INSERT, row)


@dataclass(frozen=True, slots=True)
class Entry:
    """One stored movement from `debit` to `credit`."""

    kind: str
    debit: str
    credit: str
    amount_microdollars: int
    created_at: datetime


_OF_SOURCE: Final = (
    select(
        ledger_entries.c.kind,
        ledger_entries.c.debit_account,
        ledger_entries.c.credit_account,
        ledger_entries.c.amount_microdollars,
        ledger_entries.c.created_at,
    )
    .where(ledger_entries.c.source_id == bindparam("source_id"))
    .order_by(ledger_entries.c.created_at, ledger_entries.c.kind)
)


def entries_of(connection: Connection, source_id: str) -> tuple[Entry, ...]:
    """The entries of one request or credit transaction, oldest first."""
    return tuple(Entry(*row) for row in connection.execute(_OF_SOURCE, {"source_id": source_id}))
