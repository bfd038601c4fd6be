"""Set money aside in every budget the request touches, or in none, before anything goes upstream (guarantees M2).

Nothing is held for anonymous callers: they pay nothing and have no accounts (request-path 7.5).
Refuses: insufficient_credits; ledger_unavailable (nothing is served on credit).
"""

from collections.abc import Awaitable
from typing import Final

from tollway.billing.ledger import Hold, HoldOrder, HoldPolicy, HoldRefused
from tollway.billing.payer import budgets_of
from tollway.billing.store import StoreUnavailableError
from tollway.errors import Code, Problem
from tollway.gateway.exchange import Exchange
from tollway.gateway.services import Services
from tollway.identity.caller import Role
from tollway.money import MICRODOLLARS_PER_USD

_POLICIES: Final = {policy.value: policy for policy in HoldPolicy}
_BILLING_MANAGER: Final = Role.BILLING_MANAGER  # reading a member of an Enum costs as much as a call (Python 3.11)


def run(exchange: Exchange, services: Services) -> Hold | Problem | Awaitable[Hold | Problem] | None:
    caller = exchange.caller
    if caller.is_anonymous:
        return None
    if caller.role is _BILLING_MANAGER:  # may pay for the organization, not spend (request-path 9.2)
        return _refuse(0, "a billing manager has no balance", services)
    day = exchange.received_at.date()
    order = HoldOrder(
        exchange.id,
        exchange.plan.worst_case,
        budgets_of(caller, day),
        _POLICIES[services.settings.hold_policy],
        day,
    )
    held = services.funds.hold(order)
    return held if isinstance(held, Hold) else _later(held, services)


async def _later(held: Awaitable[Hold | HoldRefused] | HoldRefused, services: Services) -> Hold | Problem:
    """The slices did not cover it, or a refusal was known already."""
    try:
        answer = held if isinstance(held, HoldRefused) else await held
    except StoreUnavailableError as error:
        return Problem(Code.LEDGER_UNAVAILABLE, str(error), retry_after_s=1)
    if isinstance(answer, HoldRefused):
        return _refuse(answer.available, f"{answer.budget.kind} has {answer.available} microdollars left", services)
    return answer


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
