"""Orders, holds and outcomes as short as they can be said."""

from collections.abc import Sequence
from datetime import UTC, date, datetime
from decimal import Decimal

from tollway.billing.ledger import Basis, BudgetKind, BudgetRef, Hold, HoldOrder, HoldPolicy, Outcome, UsageRecord
from tollway.money import Microdollars
from tollway.wire.usage import Usage

DAY = date(2026, 11, 20)
USER = BudgetRef(BudgetKind.USER, "ada")
KEY = BudgetRef(BudgetKind.KEY, "key", Microdollars(1_000))

RECORD = UsageRecord(
    user_id="ada",
    organization_id=None,
    key_id="key",
    provider_id="sim",
    requested_model="m",
    model="m",
    upstream_model="m",
    inference_provider=None,
    message_id="gen-1",
    finish_reason="stop",
    status_code=200,
    streamed=True,
    has_error=False,
    cancelled=False,
    price_version="v",
    prompt_usd=Decimal(0),
    completion_usd=Decimal(0),
    route=("sim/m",),
    attempts=("sim:200",),
    prompt_tokens_max=1,
    completion_tokens_max=1,
    latency_ms=1,
    created_at=datetime(2026, 11, 20, tzinfo=UTC),
)


def order_of(
    request_id: str, need: int, budgets: Sequence[BudgetRef] = (USER,), policy: HoldPolicy = HoldPolicy.PARTIAL
) -> HoldOrder:
    return HoldOrder(request_id, Microdollars(need), tuple(budgets), policy, DAY)


def hold_of(request_id: str, need: int, *amounts: int, budgets: Sequence[BudgetRef] = (USER,)) -> Hold:
    """Wholly covered unless `amounts` say otherwise."""
    held = amounts or (need,) * len(budgets)
    return Hold(request_id, Microdollars(need), tuple(budgets), tuple(map(Microdollars, held)), DAY)


def outcome_of(hold: Hold, charge: int, absorbed: int = 0) -> Outcome:
    return Outcome(
        hold=hold,
        usage=Usage(1, 1),
        basis=Basis.REPORTED,
        charge=Microdollars(charge),
        absorbed=Microdollars(absorbed),
        market_cost=Microdollars(charge + absorbed),
        list_cost=Microdollars(charge),
        reported_cost=None,
        record=RECORD,
    )
