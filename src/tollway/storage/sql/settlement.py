"""Settlement: a batch of ended requests, written in one transaction.

Every request passes here, so the work for each is kept small; the statements are few and each is for the whole batch.
"""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, select

from tollway.billing.ledger import Outcome, postings_of
from tollway.storage.sql import budgets, leases
from tollway.storage.sql.entries import ENTRIES, entry_row
from tollway.storage.sql.packed import among, pack
from tollway.storage.sql.tables import usage
from tollway.storage.sql.usage_rows import METADATA, USAGE, form_for, metadata_row, usage_row

_SETTLED: Final = select(usage.c.id).where(among(usage.c.id, "ids"))


def settle(connection: Connection, worker_id: str, outcomes: Sequence[Outcome], now: datetime) -> tuple[str, ...]:
    """See Books.settle. A request that is in the batch twice counts once."""
    by_id = {outcome.hold.request_id: outcome for outcome in reversed(outcomes)}  # the first of an id stays
    refs = {ref.id: ref for outcome in outcomes for ref in outcome.hold.budgets}
    locked = budgets.lock(connection, refs.values(), now)
    # Only now: another settlement of the same request held these locks until it was committed.
    settled = set(connection.execute(_SETTLED, {"ids": pack(by_id)}).scalars())
    fresh = [outcome for id_, outcome in by_id.items() if id_ not in settled]
    if fresh:
        spent, used = _write(connection, fresh, now)
        lowered = leases.lower(connection, worker_id, used)
        held = {id_: -amount for id_, amount in lowered.items()}
        budgets.move(connection, locked, now, spent=spent, held=held)
        budgets.clear_marks(connection, locked, by_id)
    return tuple(settled)


def _write(connection: Connection, outcomes: Sequence[Outcome], now: datetime) -> tuple[Counter[str], Counter[str]]:
    """Insert their rows. Returns by budget what was spent, and what of it the holds covered."""
    form = form_for(connection)
    written_at = form.instant(now)
    rows: tuple[list[Any], list[Any], list[Any]] = ([], [], [])
    usage_rows, metadata_rows, entry_rows = rows
    spent: Counter[str] = Counter()
    used: Counter[str] = Counter()
    for outcome in outcomes:
        hold, charge = outcome.hold, outcome.charge
        ids = tuple([ref.id for ref in hold.budgets])
        usage_rows.append(usage_row(outcome, ids, form))
        metadata_rows.append(metadata_row(outcome))
        entry_rows += [entry_row(hold.request_id, posting, written_at) for posting in postings_of(outcome)]
        for id_, amount in zip(ids, hold.amounts, strict=True):
            spent[id_] += charge
            used[id_] += min(charge, amount)
    USAGE.insert(connection, usage_rows)
    METADATA.insert(connection, metadata_rows)
    ENTRIES.insert(connection, entry_rows)
    return spent, used
