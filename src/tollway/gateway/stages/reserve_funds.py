"""Set money aside in every budget the request touches, or in none, before anything goes upstream (guarantees M2).

What costs nothing needs no balance: a free model, a promotion, whatever the caller pays for elsewhere. Nothing is held
for anonymous callers: they pay nothing and have no accounts. Refuses: insufficient_credits;
ledger_unavailable (nothing is served on credit). Source: request-path 7.5, 9.2 to 9.5.
"""

from collections.abc import Awaitable
from typing import Final

from tollway.billing.ledger import Hold, HoldOrder, HoldPolicy, HoldRefused
from tollway.billing.payer import budgets_of
from tollway.billing.store import StoreUnavailableError
from tollway.errors import Code, Problem
from tollway.gateway.exchange import Exchange
from tollway.gateway.services import Services
from tollway.identity.caller import Caller, Role
from tollway.identity.promotions import is_promoted
from tollway.money import MICRODOLLARS_PER_USD, Microdollars
from tollway.routing.precedence import is_byok

_POLICIES: Final = {policy.value: policy for policy in HoldPolicy}
_BILLING_MANAGER: Final = Role.BILLING_MANAGER  # reading a member of an Enum costs as much as a call (Python 3.11)
_NOTHING: Final = Microdollars(0)
_NEVER_PAID: Final = "Paid Model - Credits Required"


def run(exchange: Exchange, services: Services) -> Hold | Problem | Awaitable[Hold | Problem] | None:
    caller = exchange.caller
    if caller.is_anonymous:
        return None
    worst_case = _NOTHING if _is_waived(exchange, services) else exchange.plan.worst_case
    if worst_case and caller.role is _BILLING_MANAGER:  # may pay for the organization, not spend
        return _refuse(0, "a billing manager has no balance", caller, services)
    day = exchange.received_at.date()
    order = HoldOrder(
        exchange.id,
        worst_case,
        budgets_of(caller, day),
        _POLICIES[services.settings.hold_policy],
        day,
    )
    held = services.funds.hold(order)
    return held if isinstance(held, Hold) else _later(held, caller, services)


def _is_waived(exchange: Exchange, services: Services) -> bool:
    """The caller pays nothing, whatever the model's price is. Source: response-path 6.8."""
    if exchange.kind.is_free or is_byok(exchange.own):
        return True
    promotions = services.promotions
    return bool(promotions) and is_promoted(promotions, exchange.caller, exchange.model.id, exchange.received_at)


async def _later(
    held: Awaitable[Hold | HoldRefused] | HoldRefused, caller: Caller, services: Services
) -> Hold | Problem:
    """The slices did not cover it, or a refusal was known already."""
    try:
        answer = held if isinstance(held, HoldRefused) else await held
    except StoreUnavailableError as error:
        return Problem(Code.LEDGER_UNAVAILABLE, str(error), retry_after_s=1)
    if isinstance(answer, HoldRefused):
        detail = f"{answer.budget.kind} has {answer.available} microdollars left"
        return _refuse(answer.available, detail, caller, services)
    return answer


def _refuse(available: int, detail: str, caller: Caller, services: Services) -> Problem:
    """The text depends on whether the user has ever paid, for whomever (9.4). The balance goes on the wire as a JSON
    number in USD, whole ones without a fraction (0.5.3)."""
    whole, part = divmod(available, MICRODOLLARS_PER_USD)
    balance = whole if part == 0 else available / MICRODOLLARS_PER_USD
    url = f"{services.settings.app_url.rstrip('/')}/profile"
    extra = {"balance": balance, "buyCreditsUrl": url}
    if caller.has_paid:
        return Problem(Code.INSUFFICIENT_CREDITS, detail, extra=extra)
    bonus = services.settings.first_topup_bonus_usd
    shown = "This is a paid model. To use paid models, you need to add credits."
    if bonus:
        shown += f" Get ${bonus} free on your first topup!"
    return Problem(Code.INSUFFICIENT_CREDITS, detail, shown=shown, extra=extra, title=_NEVER_PAID)
