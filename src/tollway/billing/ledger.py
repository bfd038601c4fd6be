"""The words of the money path: budgets, holds, outcomes, postings.

Life of a charge: `HoldOrder` → `Hold` (money set aside in all budgets, or in none) → `Outcome` → `Receipt` (postings
written, hold gone, budgets moved, usage row stored, all in one transaction). Both steps are idempotent by request id.
"""

from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Final

from msgspec import Struct

from tollway.money import Microdollars
from tollway.wire.usage import Usage

HOLD_SECONDS_MAX: Final = 35 * 60  # longer than the longest stream (guarantees M5)


class HoldPolicy(StrEnum):
    """`PARTIAL`: admit while something is left, holding min(worst case, available). `STRICT`: all of it must fit."""

    PARTIAL = "partial"
    STRICT = "strict"


class Basis(StrEnum):
    """Why the charge is what it is; shown to the caller."""

    REPORTED = "reported"  # the upstream reported tokens or cost
    ESTIMATED = "estimated"  # complete answer without usable usage
    INTERRUPTED = "interrupted"  # estimated from what passed before the stream broke
    ABSORBED = "absorbed"  # the operator bears it (no output, failed attempt)
    FREE = "free"
    BYOK = "byok"


class BudgetKind(StrEnum):
    """Every limit that money can hit. The order is the lock order (guarantees I5)."""

    ORGANIZATION = "organization"
    USER = "user"
    MEMBER_DAY = "member_day"
    KEY = "key"


BUDGET_ORDER: Final = {kind: place for place, kind in enumerate(BudgetKind)}


class BudgetRef(Struct, frozen=True):
    """Names one budget. `limit` is given for kinds whose limit lives elsewhere (member's day, key); the store keeps
    what was spent and held against it. Balances (user, organization) carry no limit here: theirs is the ledger's."""

    kind: BudgetKind
    owner: str  # user id, organization id, "<organization>:<user>:<day>", key id
    limit: Microdollars | None = None

    @property
    def id(self) -> str:
        return f"{self.kind.value}:{self.owner}"


class HoldOrder(Struct, frozen=True):
    """Ask for money before the upstream is called. `budgets[0]` is the payer's balance."""

    request_id: str
    worst_case: Microdollars
    budgets: tuple[BudgetRef, ...]
    policy: HoldPolicy
    usage_day: date  # UTC day of the hold; settlement goes to the same day (guarantees M11)
    expires_at: datetime


class Hold(Struct, frozen=True):
    """Money set aside: the same `amount` in every budget of the order."""

    request_id: str
    amount: Microdollars
    budgets: tuple[BudgetRef, ...]
    usage_day: date


class HoldRefused(Struct, frozen=True):
    """A budget had nothing left (or, when strict, not enough). `available` is what it had."""

    budget: BudgetRef
    available: Microdollars


class UsageRecord(Struct, frozen=True):
    """What is stored about one request besides money. Texts from callers are cut and free of NUL by now."""

    user_id: str
    organization_id: str | None
    key_id: str | None
    provider_id: str
    requested_model: str
    model: str
    upstream_model: str
    inference_provider: str | None
    message_id: str | None
    finish_reason: str | None
    status_code: int
    streamed: bool
    has_error: bool
    cancelled: bool
    price_version: str
    prompt_usd: Decimal
    completion_usd: Decimal
    attempts: int
    latency_ms: int
    created_at: datetime


class Outcome(Struct, frozen=True):
    """How a request ended, in money. `charge` is what the caller pays, `absorbed` what the operator bears.

    `market_cost` is what it was worth before waivers; `list_cost` tokens times price; `reported_cost` what the
    upstream named (None: nothing). Both are kept, so that a difference can be seen.
    """

    hold: Hold
    usage: Usage
    basis: Basis
    charge: Microdollars
    absorbed: Microdollars
    market_cost: Microdollars
    list_cost: Microdollars
    reported_cost: Microdollars | None
    record: UsageRecord


class Receipt(Struct, frozen=True):
    """The settlement as it stands in the books; `repeated` when it had been settled before."""

    request_id: str
    charge: Microdollars
    balance: Microdollars
    repeated: bool


class EntryKind(StrEnum):
    """Kinds of ledger entries; (request id, kind) is unique in the database."""

    GRANT = "grant"
    PAYMENT = "payment"
    REFUND = "refund"
    CHARGE = "charge"
    ABSORBED = "absorbed"
    CORRECTION = "correction"


class Posting(Struct, frozen=True):
    """One movement: `amount` (µ$, > 0) leaves `debit` and arrives at `credit`; so the sum over all accounts stays 0."""

    kind: EntryKind
    debit: str
    credit: str
    amount: Microdollars


# Accounts that are not somebody's balance.
PAYMENTS: Final = "system:payments"
GRANTS: Final = "system:grants"
REVENUE: Final = "system:revenue"
ABSORBED: Final = "system:absorbed"


def postings_of(outcome: Outcome) -> tuple[Posting, ...]:
    """The entries of a settlement: a charge moves the payer's money to revenue; what is absorbed moves ours."""
    payer = outcome.hold.budgets[0].id
    postings = []
    if outcome.charge:
        postings.append(Posting(EntryKind.CHARGE, payer, REVENUE, outcome.charge))
    if outcome.absorbed:
        postings.append(Posting(EntryKind.ABSORBED, ABSORBED, REVENUE, outcome.absorbed))
    return tuple(postings)


def cut_hold(worst_case: int, available: list[int], policy: HoldPolicy) -> int | None:
    """How much to hold given what each budget has left; None refuses. Never more than the tightest budget has.

    Source: guarantees M2. A worst case of 0 (a free model) needs no money at all.
    """
    if worst_case == 0:
        return 0
    tightest = min(available)
    if tightest <= 0 or (policy is HoldPolicy.STRICT and tightest < worst_case):
        return None
    return min(worst_case, tightest)
