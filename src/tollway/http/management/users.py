"""Users and credits, for administrators; and one's own balance and credit transactions."""

from typing import Annotated

from pydantic import BaseModel, Field

from tollway.admin import credits as credit_cases
from tollway.admin import users
from tollway.admin.credits import NewCredit, add_credit
from tollway.admin.credits import Owner as Account
from tollway.admin.ownership import NO_ACCESS
from tollway.admin.records import AccountBalance, Credited, CreditTransaction, Page, User
from tollway.errors import Code, Problem
from tollway.http.management.call import Access, Call, Current
from tollway.http.management.keys import Cursor, Instant, Limit
from tollway.http.management.table import Body, Done, Listing, Table, page_of
from tollway.identity.owned import OwnerKind
from tollway.money import MICRODOLLARS_MAX


class NewUserBody(Body):
    """`is_bot`: a service account. It stays what it is made."""

    email: Annotated[str, Field(min_length=1, max_length=320)]
    name: Annotated[str, Field(max_length=200)] = ""
    is_bot: bool = False


class UserBody(Body):
    """What is left out stays."""

    email: Annotated[str | None, Field(min_length=1, max_length=320)] = None
    name: Annotated[str | None, Field(max_length=200)] = None


class BlockBody(Body):
    reason: Annotated[str, Field(min_length=1, max_length=200)]


class CreditBody(Body):
    """To a user or an organization, by id. `is_free` false: it was paid. `payment_id`: whose it is elsewhere; with the
    same one nothing is booked again. `once_per_category`: a user gets one of the category."""

    user_id: Annotated[str | None, Field(max_length=100)] = None
    organization_id: Annotated[str | None, Field(max_length=100)] = None
    amount_microdollars: Annotated[int, Field(ge=1, le=MICRODOLLARS_MAX)]
    is_free: bool = True
    description: Annotated[str, Field(max_length=500)] = ""
    category: Annotated[str | None, Field(max_length=100)] = None
    payment_id: Annotated[str | None, Field(min_length=1, max_length=500)] = None
    expires_at: Instant | None = None
    once_per_category: bool = False


class RefundBody(Body):
    """To a user or an organization, by id: so much less is left of what they paid."""

    user_id: Annotated[str | None, Field(max_length=100)] = None
    organization_id: Annotated[str | None, Field(max_length=100)] = None
    amount_microdollars: Annotated[int, Field(ge=1, le=MICRODOLLARS_MAX)]
    description: Annotated[str, Field(max_length=500)] = ""


class CreditedBody(BaseModel):
    """`is_repeat`: it was booked before, under the same payment id."""

    transaction: CreditTransaction
    balance: AccountBalance
    is_repeat: bool


def add_users(table: Table) -> None:
    table.add("GET", "/users", Access.ADMINISTRATOR, list_users, Listing[User])
    table.add("POST", "/users", Access.ADMINISTRATOR, create_user, User, status=201, once=True)
    table.add("GET", "/users/{user_id}", Access.ADMINISTRATOR, show_user, User)
    table.add("PATCH", "/users/{user_id}", Access.ADMINISTRATOR, change_user, User)
    table.add("POST", "/users/{user_id}/block", Access.ADMINISTRATOR, block_user, User)
    table.add("POST", "/users/{user_id}/unblock", Access.ADMINISTRATOR, unblock_user, User)
    table.add("POST", "/users/{user_id}/reset-tokens", Access.ADMINISTRATOR, reset_tokens_of, User)
    table.add("POST", "/reset-tokens", Access.SIGNED_IN, reset_tokens, Done)
    table.add("DELETE", "/users/{user_id}", Access.ADMINISTRATOR, erase_user, User)
    table.add("GET", "/balance", Access.LOOK, show_balance, AccountBalance)
    table.add("GET", "/credits", Access.CHANGE, list_credits, Listing[CreditTransaction])
    table.add("POST", "/credits", Access.ADMINISTRATOR, give_credit, CreditedBody, status=201, once=True)
    table.add("POST", "/credits/refund", Access.ADMINISTRATOR, refund, CreditedBody, status=201, once=True)


async def list_users(call: Current, limit: Limit = 100, cursor: Cursor = None) -> Listing[User] | Problem:
    """All of them, newest first."""
    page = Page(limit, cursor)
    found = await users.list_users(call.services.store, page)
    return found if isinstance(found, Problem) else page_of(found, page)


async def create_user(call: Current, body: NewUserBody) -> User | Problem:
    """A user without credits and keys."""
    return await users.create_user(call.services.store, users.NewUser(body.email, body.name, body.is_bot), call.now)


async def show_user(call: Current, user_id: str) -> User | Problem:
    """By id or e-mail address."""
    return await users.show_user(call.services.store, user_id)


async def change_user(call: Current, user_id: str, body: UserBody) -> User | Problem:
    """E-mail address and name."""
    return await users.change_user(call.services.store, user_id, body.email, body.name, call.now)


async def block_user(call: Current, user_id: str, body: BlockBody) -> User | Problem:
    """Refuse every key and token of the user from now on."""
    return await users.block_user(call.services.store, user_id, body.reason, call.now)


async def unblock_user(call: Current, user_id: str) -> User | Problem:
    """Accept the user's keys and tokens again."""
    return await users.unblock_user(call.services.store, user_id, call.now)


async def reset_tokens_of(call: Current, user_id: str) -> User | Problem:
    """End every token of the user; API keys go on."""
    return await users.reset_tokens(call.services.store, user_id, call.now)


async def reset_tokens(call: Current) -> Done | Problem:
    """End every token of one's own, the one that asks among them; API keys go on."""
    if call.caller.organization_id is not None:
        return Problem(Code.FORBIDDEN, "the key is bound", shown=NO_ACCESS)
    done = await users.reset_tokens(call.services.store, call.caller.user_id, call.now)
    return done if isinstance(done, Problem) else Done()


async def erase_user(call: Current, user_id: str) -> User | Problem:
    """For good: own keys, upstreams and memberships go, API keys end; the books keep a pseudonym."""
    return await users.delete_user(call.services.store, user_id, call.now)


async def show_balance(call: Current) -> AccountBalance | Problem:
    """Of the user, or of the organization."""
    return await credit_cases.show_balance(call.services.store, _account(call))


async def list_credits(
    call: Current, limit: Limit = 100, cursor: Cursor = None
) -> Listing[CreditTransaction] | Problem:
    """Grants, payments and refunds, newest first."""
    page = Page(limit, cursor)
    found = await credit_cases.list_credits(call.services.store, _account(call), page)
    return found if isinstance(found, Problem) else page_of(found, page)


async def give_credit(call: Current, body: CreditBody) -> CreditedBody | Problem:
    """A grant, or a payment that was received elsewhere."""
    account = Account(body.user_id, body.organization_id)
    order = NewCredit(
        account,
        body.amount_microdollars,
        body.is_free,
        body.description,
        body.category,
        body.payment_id,
        body.expires_at,
        body.once_per_category,
    )
    return _told(await add_credit(call.services.store, order, call.now, call.actor))


async def refund(call: Current, body: RefundBody) -> CreditedBody | Problem:
    """Give money back: at most what is left, as a payment the other way round."""
    account = Account(body.user_id, body.organization_id)
    order = credit_cases.Refund(account, body.amount_microdollars, body.description)
    return _told(await credit_cases.refund_credit(call.services.store, order, call.now, call.actor))


def _account(call: Call) -> Account:
    is_organization = call.owner.kind is OwnerKind.ORGANIZATION
    return Account(organization=call.owner.id) if is_organization else Account(user=call.owner.id)


def _told(done: Credited | Problem) -> CreditedBody | Problem:
    if isinstance(done, Problem):
        return done
    return CreditedBody(transaction=done.transaction, balance=done.balance, is_repeat=done.is_repeat)
