"""Credits: grant (free), record a payment, list, show the balance. An account is a user's or an organization's."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from tollway.admin.fields import TEXT_CHARS_MAX, bad, check_amount, check_page, check_text
from tollway.admin.office import CREDITS, GRANT, Office
from tollway.admin.organizations import find_organization
from tollway.admin.ownership import OPERATOR, Actor
from tollway.admin.records import AccountBalance, AuditEntry, Credited, CreditTransaction, Page, Uncredited
from tollway.admin.store import AdminStore
from tollway.admin.users import show_user
from tollway.billing.ledger import BudgetKind, BudgetRef
from tollway.errors import Code, Problem
from tollway.ids import new_id
from tollway.money import MoneyOverflowError, format_usd


@dataclass(frozen=True, slots=True)
class Owner:
    """Whose account, by id, e-mail address or name. Both: the organization's, and the user is who pays."""

    user: str | None = None
    organization: str | None = None


@dataclass(frozen=True, slots=True)
class NewCredit:
    """`is_free` tells a grant from a payment. `category` groups promotions; with `once_per_category` a user gets one.

    `payment_id`: whose it is elsewhere; with the same one a credit is booked once. `expires_at`: what is left of it is
    taken back then.
    """

    owner: Owner
    amount_microdollars: int
    is_free: bool
    description: str = ""
    category: str | None = None
    payment_id: str | None = None
    expires_at: datetime | None = None
    once_per_category: bool = False


async def add_credit(store: AdminStore, order: NewCredit, now: datetime, actor: Actor = OPERATOR) -> Credited | Problem:
    """Transaction, ledger entry, balance and an organization's audit log change together.

    Refuses: bad_request, not_found, conflict (the payment id is another credit's, or the user had one of the category).
    """
    amount = check_amount("amount", order.amount_microdollars, least=1)
    if isinstance(amount, Problem):
        return amount
    description = check_text("description", order.description, most=TEXT_CHARS_MAX)
    if isinstance(description, Problem):
        return description
    category = None if order.category is None else check_text("category", order.category, least=1)
    if isinstance(category, Problem):
        return category
    payment_id = _check_once(order, now)
    if isinstance(payment_id, Problem):
        return payment_id
    account = await find_account(store, order.owner)
    if isinstance(account, Problem):
        return account
    credit = CreditTransaction(
        id=new_id(),
        user_id=account.user_id,
        organization_id=account.organization_id,
        amount_microdollars=amount,
        is_free=order.is_free,
        description=description or None,
        credit_category=category,
        expiry_date=order.expires_at,
        created_at=now,
        payment_id=payment_id,
    )
    try:
        action, what = (GRANT, "Granted") if order.is_free else (CREDITS, "Purchased")
        audit = _audit(Office(store, actor, now), credit, action, what)
        credited = await store.add_credit(account.budget, credit, audit, once_per_category=order.once_per_category)
    except MoneyOverflowError:
        return bad("amount", "the account cannot hold that much")
    return _UNCREDITED[credited] if isinstance(credited, Uncredited) else credited


_UNCREDITED: Final = {
    Uncredited.OTHER: Problem(Code.CONFLICT, "payment id", shown="payment_id: another credit was booked with it"),
    Uncredited.ONCE: Problem(Code.CONFLICT, "category", shown="category: the user has had a credit of it"),
}


def _check_once(order: NewCredit, now: datetime) -> str | Problem | None:
    """The payment id, once everything that makes a credit special is as it should be."""
    if order.expires_at is not None and order.expires_at <= now:
        return bad("expires_at", "must be in the future")
    if order.once_per_category and (order.category is None or order.owner.organization is not None):
        return bad("once_per_category", "needs a category, and a user's account")
    if order.payment_id is None:
        return None
    return check_text("payment_id", order.payment_id, least=1, most=TEXT_CHARS_MAX)


@dataclass(frozen=True, slots=True)
class Refund:
    """Money that goes back to who paid it."""

    owner: Owner
    amount_microdollars: int
    description: str = ""


async def refund_credit(store: AdminStore, order: Refund, now: datetime, actor: Actor = OPERATOR) -> Credited | Problem:
    """A transaction below 0 with its ledger entry: at most what is left and not held by open requests.

    Refuses: bad_request, not_found, conflict (so much is not left).
    """
    amount = check_amount("amount", order.amount_microdollars, least=1)
    if isinstance(amount, Problem):
        return amount
    description = check_text("description", order.description, most=TEXT_CHARS_MAX)
    if isinstance(description, Problem):
        return description
    account = await find_account(store, order.owner)
    if isinstance(account, Problem):
        return account
    credit = CreditTransaction(
        id=new_id(),
        user_id=account.user_id,
        organization_id=account.organization_id,
        amount_microdollars=-amount,
        is_free=False,
        description=description or None,
        credit_category=None,
        expiry_date=None,
        created_at=now,
    )
    audit = _audit(Office(store, actor, now), credit, CREDITS, "Refunded")
    balance = await store.refund_credit(account.budget, credit, audit)
    if balance is None:
        return Problem(Code.CONFLICT, "not so much is left", shown="So much is not left on the account")
    return Credited(credit, balance)


async def list_credits(store: AdminStore, owner: Owner, page: Page) -> tuple[CreditTransaction, ...] | Problem:
    """Newest first. Refuses: bad_request, not_found."""
    checked = check_page(page)
    if isinstance(checked, Problem):
        return checked
    account = await find_account(store, owner)
    return account if isinstance(account, Problem) else await store.list_credits(account.budget, checked)


async def show_balance(store: AdminStore, owner: Owner) -> AccountBalance | Problem:
    """Refuses: bad_request, not_found."""
    account = await find_account(store, owner)
    return account if isinstance(account, Problem) else await store.account_balance(account.budget)


@dataclass(frozen=True, slots=True)
class CreditAccount:
    """With `organization_id` the organization's; `user_id` is who pays for it, if anybody is named."""

    budget: BudgetRef
    user_id: str | None
    organization_id: str | None


def _audit(office: Office, credit: CreditTransaction, action: str, what: str) -> AuditEntry | None:
    """Of organizations alone."""
    if credit.organization_id is None:
        return None
    return office.audit(
        credit.organization_id, action, f"{what} credits: {format_usd(abs(credit.amount_microdollars))}"
    )


async def find_account(store: AdminStore, owner: Owner) -> CreditAccount | Problem:
    """Refuses: bad_request (nobody is named), not_found."""
    user_id = None
    if owner.user is not None:
        user = await show_user(store, owner.user)
        if isinstance(user, Problem):
            return user
        user_id = user.id
    if owner.organization is not None:
        organization = await find_organization(store, owner.organization)
        if isinstance(organization, Problem):
            return organization
        return CreditAccount(BudgetRef(BudgetKind.ORGANIZATION, organization.id), user_id, organization.id)
    if user_id is None:
        return Problem(Code.BAD_REQUEST, shown="name a user or an organization")
    return CreditAccount(BudgetRef(BudgetKind.USER, user_id), user_id, None)
