"""Words to write scenarios with: a clock that stands still, budgets, orders and outcomes."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

from tollway.billing.ledger import (
    GRANTS,
    Basis,
    BudgetKind,
    BudgetRef,
    EntryKind,
    Hold,
    HoldOrder,
    HoldPolicy,
    Outcome,
    Posting,
    UsageRecord,
)
from tollway.money import Microdollars
from tollway.storage.sql import budgets, settlement
from tollway.storage.sql.database import Database
from tollway.storage.sql.tables import credit_transactions
from tollway.wire.usage import Usage

START = datetime(2026, 3, 1, 12, tzinfo=UTC)
DAY = date(2026, 3, 1)

ANN = BudgetRef(BudgetKind.USER, "ann")
BOB = BudgetRef(BudgetKind.USER, "bob")
ACME = BudgetRef(BudgetKind.ORGANIZATION, "acme")


class Clock:
    """Stands still until it is moved."""

    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> datetime:
        return self.now

    def advance(self, **parts: int) -> None:
        self.now += timedelta(**parts)


def day_of_ann(limit: int | None) -> BudgetRef:
    return BudgetRef(BudgetKind.MEMBER_DAY, "acme:ann:2026-03-01", None if limit is None else Microdollars(limit))


def key_of_ann(limit: int | None) -> BudgetRef:
    return BudgetRef(BudgetKind.KEY, "k1", None if limit is None else Microdollars(limit))


def order(
    request_id: str,
    worst_case: int,
    *refs: BudgetRef,
    policy: HoldPolicy = HoldPolicy.PARTIAL,
    expires_at: datetime = START + timedelta(minutes=35),
) -> HoldOrder:
    return HoldOrder(request_id, Microdollars(worst_case), refs or (ANN,), policy, DAY, expires_at)


def a_hold(request_id: str, amount: int, *refs: BudgetRef) -> Hold:
    return Hold(request_id, Microdollars(amount), refs or (ANN,), DAY)


def outcome(hold: Hold, charge: int, absorbed: int = 0, **changes: object) -> Outcome:
    values: dict[str, object] = {
        "hold": hold,
        "usage": Usage(1000, 200, cached_tokens=600, reasoning_tokens=50),
        "basis": Basis.REPORTED,
        "charge": Microdollars(charge),
        "absorbed": Microdollars(absorbed),
        "market_cost": Microdollars(charge),
        "list_cost": Microdollars(charge),
        "reported_cost": None,
        "record": record(),
    }
    return Outcome(**{**values, **changes})


def record() -> UsageRecord:
    return UsageRecord(
        user_id="ann",
        organization_id=None,
        key_id="k1",
        provider_id="openrouter",
        requested_model="Vendor/Model",
        model="vendor/model",
        upstream_model="vendor/model-2026",
        inference_provider="Vendor",
        message_id="gen-1",
        finish_reason="stop",
        status_code=200,
        streamed=True,
        has_error=False,
        cancelled=False,
        price_version="openrouter/vendor/model@2026-01-01",
        prompt_usd=Decimal("0.000000125"),
        completion_usd=Decimal("0.0000150"),
        attempts=1,
        latency_ms=1234,
        created_at=START,
    )


async def top_up(database: Database, account: BudgetRef, amount: int, transaction_id: str = "first") -> None:
    """Credit an account, as the administration does it: entry, budget and transaction row together."""
    id_ = f"{account.id}-{transaction_id}"
    is_user = account.kind is BudgetKind.USER
    row = {
        "id": id_,
        "user_id": account.owner if is_user else None,
        "organization_id": None if is_user else account.owner,
        "amount_microdollars": amount,
        "is_free": True,
        "created_at": START,
    }

    def work(connection) -> None:
        budgets.credit(connection, account, amount, START)
        posting = Posting(EntryKind.GRANT, GRANTS, account.id, Microdollars(amount))
        settlement.post(connection, id_, [posting], START)
        connection.execute(credit_transactions.insert(), row)

    await database.write(work)
