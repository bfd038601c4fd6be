"""Rows of `usage_prompts`: first characters of prompts, where they are wanted. Source: guarantees P1."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Connection, insert

from tollway.billing.ledger import Outcome
from tollway.storage.sql.accounting_tables import usage_prompts
from tollway.storage.sql.kept_text import PROMPTS, deleted_users


def store_prompts(connection: Connection, outcomes: Sequence[Outcome], now: datetime) -> None:
    """Of requests whose usage rows are there; not of organizations that do not want it any more, nor of users who were
    deleted while their request was under way."""
    if not outcomes:
        return
    deleted = deleted_users(connection, (outcome.record.user_id for outcome in outcomes))
    owners = {owner for outcome in outcomes if (owner := outcome.record.organization_id) is not None}
    wanted = PROMPTS.wanted_days(connection, owners) if owners else {}
    rows = [
        {
            "id": outcome.hold.request_id,
            "system_prefix": outcome.record.particulars.system_prompt_prefix,
            "user_prefix": outcome.record.particulars.user_prompt_prefix,
            "created_at": now,
            "organization_id": owner,
        }
        for outcome in outcomes
        if ((owner := outcome.record.organization_id) is None or owner in wanted)
        and outcome.record.user_id not in deleted
    ]
    if rows:
        connection.execute(insert(usage_prompts), rows)
