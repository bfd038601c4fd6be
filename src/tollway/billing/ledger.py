"""The words of the money path: budgets, holds, outcomes, postings.

Life of a charge: `HoldOrder` → `Hold` (money set aside in all budgets, or in none; cut from the worker's leases) →
`Outcome` (durable in the journal before the client's last bytes) → settled: postings written, budgets moved, usage row
stored, all in one transaction and once per request id.
"""

from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from functools import lru_cache
from typing import Final

from msgspec import Struct
from msgspec.structs import force_setattr

from tollway.billing.particulars import NO_PARTICULARS, Particulars
from tollway.money import Microdollars
from tollway.wire.usage import Usage

MEMBER_DAYS_KEPT: Final = 10_000


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
    id: str = ""  # follows from kind and owner; a field, because it is read several times for each request

    def __post_init__(self) -> None:
        force_setattr(self, "id", f"{self.kind.value}:{self.owner}")


class HoldOrder(Struct, frozen=True):
    """Ask for money before the upstream is called. `budgets[0]` is the payer's balance."""

    request_id: str
    worst_case: Microdollars
    budgets: tuple[BudgetRef, ...]
    policy: HoldPolicy
    usage_day: date  # UTC day of the hold; settlement goes to the same day (guarantees M11)


class Hold(Struct, frozen=True):
    """Money set aside: `amounts[i]` in `budgets[i]`, the worst case or, where a budget had less, what it had."""

    request_id: str
    worst_case: Microdollars
    budgets: tuple[BudgetRef, ...]
    amounts: tuple[Microdollars, ...]
    usage_day: date

    @property
    def amount(self) -> Microdollars:
        """What is set aside in the payer's balance."""
        return self.amounts[0]

    @property
    def is_partly_covered(self) -> bool:
        return min(self.amounts) < self.worst_case


class HoldRefused(Struct, frozen=True):
    """A budget had nothing left (or, when strict, not enough). `available` is what it had."""

    budget: BudgetRef
    available: Microdollars


class UsageRecord(Struct, frozen=True):
    """What is stored about one request besides money. Texts from callers are cut and free of NUL by now.

    `route`: who could serve it, in order, each `<provider>/<upstream model>`; `attempts`: what was tried and how that
    ended, each `<provider>:<status or failure>`. The token bounds are those of the worst case, for all choices.
    """

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
    route: tuple[str, ...]
    attempts: tuple[str, ...]
    prompt_tokens_max: int
    completion_tokens_max: int
    latency_ms: int
    created_at: datetime
    particulars: Particulars = NO_PARTICULARS


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


class Correction(Struct, frozen=True):
    """By how much a settled request is changed once the upstream's own record of it is known: signed µ$, what it should
    have been less what it was. Both 0: the record agrees."""

    charge: int
    absorbed: int


class EntryKind(StrEnum):
    """Kinds of ledger entries; (request or transaction id, kind) is unique in the database."""

    GRANT = "grant"
    PAYMENT = "payment"
    REFUND = "refund"
    CHARGE = "charge"
    ABSORBED = "absorbed"
    CORRECTION = "correction"  # of a charge, once the upstream's own record is known
    ABSORBED_CORRECTION = "absorbed_correction"
    EXPIRY = "expiry"  # what was left of a credit goes back to where it came from


class Posting(Struct, frozen=True):
    """One movement: `amount` (µ$, > 0) leaves `debit` and arrives at `credit`; so the sum over all accounts stays 0."""

    kind: EntryKind
    debit: str
    credit: str
    amount: Microdollars


def counted_budgets(outcome: Outcome) -> tuple[BudgetRef, ...]:
    """The budgets a charge counts against: those of the hold, and the day of a member who has no limit, so that what
    each member uses is known whoever limits it. Source: response-path 6.10."""
    budgets, organization_id = outcome.hold.budgets, outcome.record.organization_id
    if organization_id is None or (len(budgets) > 1 and budgets[1].kind is BudgetKind.MEMBER_DAY):
        return budgets
    return (*budgets, member_day(organization_id, outcome.record.user_id, outcome.hold.usage_day))


@lru_cache(maxsize=MEMBER_DAYS_KEPT)
def member_day(organization_id: str, user_id: str, day: date, limit: Microdollars | None = None) -> BudgetRef:
    """What a member uses on a day, in UTC."""
    return BudgetRef(BudgetKind.MEMBER_DAY, f"{organization_id}:{user_id}:{day.isoformat()}", limit)


# Accounts that are not somebody's balance.
PAYMENTS: Final = "system:payments"
GRANTS: Final = "system:grants"
REVENUE: Final = "system:revenue"
ABSORBED: Final = "system:absorbed"

# Reading a member of an Enum costs as much as a call (Python 3.11), so those of every request are read once.
_CHARGE_ENTRY: Final = EntryKind.CHARGE
_ABSORBED_ENTRY: Final = EntryKind.ABSORBED


def postings_of(outcome: Outcome) -> tuple[Posting, ...]:
    """The entries of a settlement: a charge moves the payer's money to revenue; what is absorbed moves ours."""
    payer = outcome.hold.budgets[0].id
    postings = []
    if outcome.charge:
        postings.append(Posting(_CHARGE_ENTRY, payer, REVENUE, outcome.charge))
    if outcome.absorbed:
        postings.append(Posting(_ABSORBED_ENTRY, ABSORBED, REVENUE, outcome.absorbed))
    return tuple(postings)


def postings_of_correction(payer: str, correction: Correction) -> tuple[Posting, ...]:
    """The entries that correct a settlement: what was too little is moved like the original, what was too much back."""
    return (
        *_signed(EntryKind.CORRECTION, payer, correction.charge),
        *_signed(EntryKind.ABSORBED_CORRECTION, ABSORBED, correction.absorbed),
    )


def _signed(kind: EntryKind, payer: str, amount: int) -> tuple[Posting, ...]:
    """To revenue, or for a negative amount from it."""
    if amount == 0:
        return ()
    debit, credit = (payer, REVENUE) if amount > 0 else (REVENUE, payer)
    return (Posting(kind, debit, credit, Microdollars(abs(amount))),)
