"""Rows of `usage_prompts`: first characters of prompts, where the operator wants them. Source: guarantees P1."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from sqlalchemy import Connection, bindparam, delete, insert

from tollway.billing.ledger import Outcome
from tollway.storage.sql.accounting_tables import usage_prompts
from tollway.storage.sql.database import Database

_FORGET: Final = delete(usage_prompts).where(usage_prompts.c.created_at < bindparam("before"))


def store_prompts(connection: Connection, outcomes: Sequence[Outcome], now: datetime) -> None:
    """Of requests whose usage rows are there."""
    rows = [
        {
            "id": outcome.hold.request_id,
            "system_prefix": outcome.record.particulars.system_prompt_prefix,
            "user_prefix": outcome.record.particulars.user_prompt_prefix,
            "created_at": now,
        }
        for outcome in outcomes
    ]
    if rows:
        connection.execute(insert(usage_prompts), rows)


async def forget_prompts(database: Database, before: datetime) -> None:
    """Remove what was stored before that instant. Raises StoreUnavailableError."""
    await database.write(lambda connection: connection.execute(_FORGET, {"before": before}))
