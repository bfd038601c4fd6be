"""What a caller's requests are paid from. The same for many requests in a row, so it is kept."""

from datetime import date
from functools import lru_cache
from typing import Final

from msgspec import Raw

from tollway.billing.ledger import BudgetKind, BudgetRef, member_day
from tollway.billing.recovery import PayerPart, encode_entry
from tollway.identity.caller import Caller

CALLERS_KEPT: Final = 10_000


@lru_cache(maxsize=CALLERS_KEPT)
def budgets_of(caller: Caller, day: date) -> tuple[BudgetRef, ...]:
    """The payer's balance first, then the limits that apply. `day` is a UTC date."""
    if caller.organization_id:
        budgets = [BudgetRef(BudgetKind.ORGANIZATION, caller.organization_id)]
        if caller.member_daily_limit is not None:
            budgets.append(member_day(caller.organization_id, caller.user_id, day, caller.member_daily_limit))
    else:
        budgets = [BudgetRef(BudgetKind.USER, caller.user_id)]
    if caller.key_id and caller.key_limit is not None:
        budgets.append(BudgetRef(BudgetKind.KEY, caller.key_id, caller.key_limit))
    return tuple(budgets)


@lru_cache(maxsize=CALLERS_KEPT)
def payer_part(caller: Caller, day: date) -> Raw:
    """A PayerPart, encoded."""
    return Raw(encode_entry(PayerPart(caller.user_id, caller.organization_id, caller.key_id, budgets_of(caller, day))))
