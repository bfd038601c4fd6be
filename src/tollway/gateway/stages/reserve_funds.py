"""Set money aside in every budget the request touches, or in none, before anything goes upstream (guarantees M2).

Refuses: insufficient_credits; ledger_unavailable (nothing is served on credit).
"""

from datetime import timedelta
from inspect import isawaitable

from tollway.billing.ledger import HOLD_SECONDS_MAX, BudgetKind, BudgetRef, Hold, HoldOrder, HoldPolicy, HoldRefused
from tollway.billing.store import StoreUnavailableError
from tollway.errors import Code, Problem
from tollway.gateway.exchange import Exchange
from tollway.gateway.services import Services
from tollway.identity.caller import Caller, Role
from tollway.money import MICRODOLLARS_PER_USD


async def run(exchange: Exchange, services: Services) -> Hold | Problem:
    caller = exchange.caller
    assert caller
    if caller.role is Role.BILLING_MANAGER:  # may pay for the organization, not spend (request-path 9.2)
        return _refuse(0, "a billing manager has no balance", services)
    day = exchange.received_at.date()
    order = HoldOrder(
        request_id=exchange.id,
        worst_case=exchange.plan.worst_case,
        budgets=_budgets_of(caller, day.isoformat()),
        policy=HoldPolicy(services.settings.hold_policy),
        usage_day=day,
        expires_at=exchange.received_at + timedelta(seconds=HOLD_SECONDS_MAX),
    )
    try:
        held = services.funds.hold(order)
        if isawaitable(held):
            held = await held
    except StoreUnavailableError as error:
        return Problem(Code.LEDGER_UNAVAILABLE, str(error), retry_after_s=1)
    if isinstance(held, HoldRefused):
        return _refuse(held.available, f"{held.budget.kind} has {held.available} microdollars left", services)
    return held


def _budgets_of(caller: Caller, day: str) -> tuple[BudgetRef, ...]:
    """The payer's balance first, then the limits that apply. `day` is the UTC date in ISO form."""
    if caller.organization_id:
        budgets = [BudgetRef(BudgetKind.ORGANIZATION, caller.organization_id)]
        if caller.member_daily_limit is not None:
            owner = f"{caller.organization_id}:{caller.user_id}:{day}"
            budgets.append(BudgetRef(BudgetKind.MEMBER_DAY, owner, caller.member_daily_limit))
    else:
        budgets = [BudgetRef(BudgetKind.USER, caller.user_id)]
    if caller.key_id and caller.key_limit is not None:
        budgets.append(BudgetRef(BudgetKind.KEY, caller.key_id, caller.key_limit))
    return tuple(budgets)


def _refuse(available: int, detail: str, services: Services) -> Problem:
    """The balance goes on the wire as a JSON number in USD, whole ones without a fraction (request-path 0.5.3)."""
    whole, part = divmod(available, MICRODOLLARS_PER_USD)
    balance = whole if part == 0 else available / MICRODOLLARS_PER_USD
    url = f"{services.settings.app_url.rstrip('/')}/profile"
    return Problem(
        Code.INSUFFICIENT_CREDITS,
        detail,
        extra={"balance": balance, "buyCreditsUrl": url},
    )
