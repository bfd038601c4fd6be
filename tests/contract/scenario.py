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
    HoldPolicy,
    Outcome,
    Posting,
    UsageRecord,
)
from tollway.billing.store import Ask, LeaseOrder
from tollway.money import Microdollars
from tollway.storage.sql import budgets, entries
from tollway.storage.sql.database import Database
from tollway.storage.sql.tables import credit_transactions
from tollway.wire.usage import Usage

START = datetime(2026, 3, 1, 12, tzinfo=UTC)
DAY = date(2026, 3, 1)

ANN = BudgetRef(BudgetKind.USER, "ann")
BOB = BudgetRef(BudgetKind.USER, "bob")
ACME = BudgetRef(BudgetKind.ORGANIZATION, "acme")

MANY = 10**9  # so many sharers that a worker keeps nothing for itself


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
    need: int,
    *refs: BudgetRef,
    worker: str = "w1",
    free: int | tuple[int, ...] = 0,
    policy: HoldPolicy = HoldPolicy.PARTIAL,
    sharers: int = MANY,
    last: bool = False,
) -> LeaseOrder:
    """`free` for every budget, or for each its own."""
    refs = refs or (ANN,)
    frees = free if isinstance(free, tuple) else (free,) * len(refs)
    asks = tuple(Ask(ref, Microdollars(need), Microdollars(amount)) for ref, amount in zip(refs, frees, strict=True))
    return LeaseOrder(worker, request_id, asks, policy, sharers, last)


def a_hold(request_id: str, amount: int | tuple[int, ...], *refs: BudgetRef, worst_case: int | None = None) -> Hold:
    refs = refs or (ANN,)
    amounts = amount if isinstance(amount, tuple) else (amount,) * len(refs)
    most = max(amounts) if worst_case is None else worst_case
    return Hold(request_id, Microdollars(most), refs, tuple(map(Microdollars, amounts)), DAY)


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


def record(**changes: object) -> UsageRecord:
    values: dict[str, object] = {
        "user_id": "ann",
        "organization_id": None,
        "key_id": "k1",
        "provider_id": "openrouter",
        "requested_model": "Vendor/Model",
        "model": "vendor/model",
        "upstream_model": "vendor/model-2026",
        "inference_provider": "Vendor",
        "message_id": "gen-1",
        "finish_reason": "stop",
        "status_code": 200,
        "streamed": True,
        "has_error": False,
        "cancelled": False,
        "price_version": "openrouter/vendor/model@2026-01-01",
        "prompt_usd": Decimal("0.000000125"),
        "completion_usd": Decimal("0.0000150"),
        "route": ("openrouter/vendor/model-2026", "other/model é"),
        "attempts": ("other:503", "openrouter:200"),
        "prompt_tokens_max": 1500,
        "completion_tokens_max": 4096,
        "latency_ms": 1234,
        "created_at": START,
    }
    return UsageRecord(**{**values, **changes})


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
        entries.post(connection, id_, [posting], START)
        connection.execute(credit_transactions.insert(), row)

    await database.write(work)
