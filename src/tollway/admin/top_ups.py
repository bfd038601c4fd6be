"""Accounts that are topped up by themselves: what the operator sets; the payment is made by whoever is told.

The webhook of `[notices]` is told of an account that wants it and whose balance falls below what the deployment says;
it answers with a payment, or turns it off where the payment was declined. Source: response-path 6.17.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from tollway.admin.credits import Owner, find_account
from tollway.admin.fields import bad, check_amount, check_text
from tollway.admin.office import SETTINGS_CHANGE, Office
from tollway.admin.records import AuditEntry, StoredTopUp, TopUpChange
from tollway.admin.store import AdminStore
from tollway.billing.ledger import BudgetKind, BudgetRef
from tollway.billing.notices import TopUpRules
from tollway.errors import Problem
from tollway.money import MICRODOLLARS_PER_USD

AMOUNT_MIN: Final = MICRODOLLARS_PER_USD
AMOUNT_MAX: Final = 100_000 * MICRODOLLARS_PER_USD
TURNED_OFF: Final = "turned off"


@dataclass(frozen=True, slots=True)
class AutoTopUp:
    """`below_microdollars`: from which balance on it is asked for, the same for all accounts of the kind.
    `amount_microdollars` None: it was never set. `attempt_started_at`: since when one is waited for."""

    account: str
    is_enabled: bool
    amount_microdollars: int | None
    below_microdollars: int
    disabled_reason: str | None
    attempt_started_at: datetime | None


@dataclass(frozen=True, slots=True)
class TopUpWish:
    """None leaves it. An amount alone turns it on; `reason`: why it is off, for whoever asks."""

    amount_microdollars: int | None = None
    is_enabled: bool | None = None
    reason: str | None = None


async def show_top_up(store: AdminStore, owner: Owner, rules: TopUpRules) -> AutoTopUp | Problem:
    """Refuses: bad_request, not_found."""
    account = await find_account(store, owner)
    if isinstance(account, Problem):
        return account
    return _shown(account.budget, await store.find_top_up(account.budget), rules)


async def set_top_up(office: Office, owner: Owner, wish: TopUpWish, rules: TopUpRules) -> AutoTopUp | Problem:
    """What is not named stays. Whether turned on or off, a top-up that is waited for is forgotten.

    Refuses: bad_request, not_found.
    """
    change = _check(wish)
    if isinstance(change, Problem):
        return change
    account = await find_account(office.store, owner)
    if isinstance(account, Problem):
        return account
    if change.amount_microdollars is None and await office.store.find_top_up(account.budget) is None:
        if change.is_enabled:
            return bad("amount", "is needed to turn it on for the first time")
        return _shown(account.budget, None, rules)
    audit = _audit(office, account.organization_id, change) if account.organization_id else None
    return _shown(account.budget, await office.store.set_top_up(account.budget, change, office.now, audit), rules)


def _check(wish: TopUpWish) -> TopUpChange | Problem:
    enabled = True if wish.is_enabled is None and wish.amount_microdollars is not None else wish.is_enabled
    if enabled is None:
        return bad("auto_top_up", "name an amount, or turn it on or off")
    if wish.amount_microdollars is not None:
        amount = check_amount("amount", wish.amount_microdollars, least=AMOUNT_MIN, most=AMOUNT_MAX)
        if isinstance(amount, Problem):
            return amount
    if wish.reason is not None and enabled:
        return bad("reason", "is for turning it off")
    reason = None if enabled else check_text("reason", wish.reason or TURNED_OFF, least=1)
    return reason if isinstance(reason, Problem) else TopUpChange(enabled, wish.amount_microdollars, reason)


def _audit(office: Office, organization_id: str, change: TopUpChange) -> AuditEntry:
    if change.is_enabled:
        amount = change.amount_microdollars
        told = "Enabled auto top-up" + (f": {amount} micro-dollars" if amount is not None else "")
    else:
        told = f"Disabled auto top-up: {change.reason}"
    return office.audit(organization_id, SETTINGS_CHANGE, told)


def _shown(account: BudgetRef, stored: StoredTopUp | None, rules: TopUpRules) -> AutoTopUp:
    below = rules.user_below if account.kind is BudgetKind.USER else rules.organization_below
    if stored is None:
        return AutoTopUp(account.id, False, None, below, None, None)
    is_enabled = stored.disabled_reason is None
    return AutoTopUp(
        account.id, is_enabled, stored.amount_microdollars, below, stored.disabled_reason, stored.attempt_started_at
    )
