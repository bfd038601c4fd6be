"""Settlement: a batch of ended requests, written in one transaction.

Every request passes here, so the work for each is kept small; the statements are few and each is for the whole batch.
"""

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final, TypeAlias

from sqlalchemy import Connection, select

from tollway.billing.ledger import BudgetRef, Outcome, counted_budgets, postings_of
from tollway.billing.notices import TopUpRules
from tollway.storage.sql import budgets, leases
from tollway.storage.sql.announcements import tell
from tollway.storage.sql.entries import ENTRIES, entry_row
from tollway.storage.sql.origins import store_missing
from tollway.storage.sql.packed import among, pack
from tollway.storage.sql.prompts import store_prompts
from tollway.storage.sql.tables import usage
from tollway.storage.sql.usage_rows import METADATA, USAGE, form_for, metadata_row, usage_row
from tollway.storage.sql.usage_sums import add_late

_SETTLED: Final = select(usage.c.id).where(among(usage.c.id, "ids"))


_Request: TypeAlias = tuple[Outcome, list[str]]  # with the ids of its budgets


def settle(
    connection: Connection, worker_id: str, outcomes: Sequence[Outcome], now: datetime, top_ups: TopUpRules
) -> tuple[str, ...]:
    """See Books.settle. A request that is in the batch twice counts once."""
    requests: dict[str, _Request] = {}
    refs: dict[str, BudgetRef] = {}
    for outcome in outcomes:
        ids = []
        for ref in counted_budgets(outcome):
            ids.append(id_ := ref.id)
            refs[id_] = ref
        requests.setdefault(outcome.hold.request_id, (outcome, ids))
    locked = budgets.lock(connection, refs, now)
    # Only now: another settlement of the same request held these locks until it was committed.
    settled = set(connection.execute(_SETTLED, {"ids": pack(requests)}).scalars())
    fresh = [request for id_, request in requests.items() if id_ not in settled]
    if fresh:
        spent, used = _write(connection, fresh, now)
        add_late(connection, [outcome.hold.request_id for outcome, _ in fresh], now)
        lowered = leases.lower(connection, worker_id, used)
        held = {id_: -amount for id_, amount in lowered.items()}
        budgets.move(connection, locked, now, spent=spent, held=held)
        budgets.clear_marks(connection, locked, requests)
        tell(connection, locked, spent, top_ups, now)
    return tuple(settled)


def _write(
    connection: Connection, requests: Sequence[_Request], now: datetime
) -> tuple[dict[str, int], dict[str, int]]:
    """Insert their rows. Returns by budget what was spent, and what of it the holds covered."""
    form = form_for(connection)
    written_at = form.instant(now)
    usage_rows: list[Any] = []
    metadata_rows: list[Any] = []
    entry_rows: list[Any] = []
    spent: defaultdict[str, int] = defaultdict(int)
    used: defaultdict[str, int] = defaultdict(int)
    origins: set[bytes] = set()
    prompts: list[Outcome] = []
    for outcome, ids in requests:
        particulars = outcome.record.particulars
        origins.add(particulars.origin)
        if particulars.user_prompt_prefix is not None:
            prompts.append(outcome)
        usage_rows += usage_row(outcome, ids, form)
        metadata_rows += metadata_row(outcome)
        for posting in postings_of(outcome):
            entry_rows += entry_row(outcome.hold.request_id, posting, written_at)
        charge = outcome.charge
        for id_ in ids:
            spent[id_] += charge
        for id_, amount in zip(ids, outcome.hold.amounts, strict=False):  # a day that is only counted comes last
            used[id_] += charge if charge < amount else amount
    USAGE.insert(connection, usage_rows)
    METADATA.insert(connection, metadata_rows)
    ENTRIES.insert(connection, entry_rows)
    store_missing(connection, origins)
    store_prompts(connection, prompts, now)
    return spent, used
