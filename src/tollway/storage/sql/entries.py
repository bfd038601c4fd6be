"""Rows of `ledger_entries`."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, insert

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
