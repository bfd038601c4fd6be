"""What a settlement has to tell: a bonus that is due, an organization that runs low, an account to be topped up; and
what a refusal has: an account to be topped up.

Runs in the transaction of either, with its budgets locked. Most settlements have nothing to tell and ask the database
nothing: only an organization that paid, or a balance that is low, does.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, bindparam, select, update

from tollway.billing.ledger import BudgetKind
from tollway.billing.notices import LOCKED_FOR, NoticeKind, TopUpRules, falls_below, read_alert
from tollway.storage.sql import budgets
from tollway.storage.sql.accounting_tables import auto_top_ups
from tollway.storage.sql.budgets import Budget
from tollway.storage.sql.notices import announce
from tollway.storage.sql.packed import among, pack
from tollway.storage.sql.tables import organizations

_USER: Final = f"{BudgetKind.USER.value}:"
_ORGANIZATION: Final = f"{BudgetKind.ORGANIZATION.value}:"

_SETTINGS: Final = select(organizations.c.id, organizations.c.settings).where(among(organizations.c.id, "ids"))
_WANTED: Final = select(
    auto_top_ups.c.account_id, auto_top_ups.c.amount_microdollars, auto_top_ups.c.attempt_started_at
).where(among(auto_top_ups.c.account_id, "ids"), auto_top_ups.c.disabled_reason.is_(None))
_START: Final = (
    update(auto_top_ups)
    .where(auto_top_ups.c.account_id == bindparam("account"))
    .values(attempt_started_at=bindparam("now"))
)


def tell(
    connection: Connection, locked: Mapping[str, Budget], spent: Mapping[str, int], rules: TopUpRules, now: datetime
) -> None:
    """`locked`: the budgets as they were before; `spent`: what was added to each."""
    paying: dict[str, tuple[int, int]] = {}  # balance before and after, of organizations
    low: dict[str, int] = {}
    for id_, charge in spent.items():
        budget = locked[id_]
        if not charge or budget.limit is None:
            continue
        before = budget.balance
        after = before - charge
        is_user = id_.startswith(_USER)
        due = budget.bonus_due
        if due is not None and budget.spent + charge >= due:
            announce(connection, f"bonus:{id_}", NoticeKind.BONUS_DUE, {"user_id": id_.removeprefix(_USER)}, now)
        if not is_user:
            paying[id_] = (before, after)
        if after < (rules.user_below if is_user else rules.organization_below) and due is None:
            low[id_] = after
    if paying:
        _tell_low_balances(connection, paying, now)
    if low:
        _tell_top_ups(connection, low, now)


def tell_refused(connection: Connection, budget_id: str, rules: TopUpRules, now: datetime) -> None:
    """Nothing can be taken out of a balance. It may have been low since before somebody wanted it topped up, or the
    top-up that was asked for never came: no settlement would tell of it again."""
    budget = budgets.read(connection, budget_id)
    below = rules.user_below if budget_id.startswith(_USER) else rules.organization_below
    if budget is not None and budget.limit is not None and budget.balance < below and budget.bonus_due is None:
        _tell_top_ups(connection, {budget_id: budget.balance}, now)


def _tell_low_balances(connection: Connection, balances: Mapping[str, tuple[int, int]], now: datetime) -> None:
    ids = pack(id_.removeprefix(_ORGANIZATION) for id_ in balances)
    for organization_id, settings in connection.execute(_SETTINGS, {"ids": ids}):
        alert, (before, after) = read_alert(settings), balances[_ORGANIZATION + organization_id]
        if alert is None or not falls_below(alert.minimum, before, after):
            continue
        payload: dict[str, Any] = {
            "organization_id": organization_id,
            "minimum_microdollars": alert.minimum,
            "balance_microdollars": after,
            "recipients": list(alert.recipients),
        }
        id_ = f"low_balance:{organization_id}:{now.isoformat()}"
        announce(connection, id_, NoticeKind.LOW_BALANCE, payload, now)


def _tell_top_ups(connection: Connection, low: Mapping[str, int], now: datetime) -> None:
    for account, amount, started_at in connection.execute(_WANTED, {"ids": pack(low)}).all():
        if started_at is not None and started_at > now - LOCKED_FOR:
            continue
        connection.execute(_START, {"account": account, "now": now})
        kind, _, owner = account.partition(":")
        payload = {
            "account": account,
            f"{kind}_id": owner,
            "amount_microdollars": amount,
            "balance_microdollars": low[account],
        }
        announce(connection, f"top_up:{account}:{now.isoformat()}", NoticeKind.TOP_UP_DUE, payload, now)
