import asyncio
from datetime import datetime

import pytest

from tollway.admin.credits import (
    NewCredit,
    Owner,
    Refund,
    add_credit,
    list_credits,
    refund_credit,
    show_balance,
)
from tollway.admin.organizations import NewOrganization, create_organization
from tollway.admin.ownership import Actor
from tollway.admin.records import AccountBalance, Credited, Organization, Page, User
from tollway.admin.users import NewUser, create_user
from tollway.errors import Code, Problem
from tollway.money import MICRODOLLARS_MAX
from tollway.storage.sql.admin.store import SqlAdmin
from tollway.storage.sql.books import verify_books

ANN, ACME = Owner("ann@example.com"), Owner(organization="Acme")


async def _prepare(store: SqlAdmin, now: datetime) -> tuple[User, Organization]:
    ann = await create_user(store, NewUser("ann@example.com"), now)
    acme = await create_organization(store, NewOrganization("Acme"), now)
    assert isinstance(ann, User)
    assert isinstance(acme, Organization)
    return ann, acme


def test_grants_and_payments_add_up(store: SqlAdmin, now: datetime) -> None:
    async def scenario() -> None:
        ann, _ = await _prepare(store, now)
        grant = await add_credit(store, NewCredit(ANN, 500, True, " welcome ", "promo"), now)
        payment = await add_credit(store, NewCredit(ANN, 250, False), now)
        assert isinstance(grant, Credited)
        assert isinstance(payment, Credited)
        assert (grant.transaction.description, grant.transaction.credit_category) == ("welcome", "promo")
        expected = AccountBalance(f"user:{ann.id}", 750, 0, 0, 750, 750)
        assert payment.balance == await show_balance(store, ANN) == expected
        listed = await list_credits(store, ANN, Page())
        assert not isinstance(listed, Problem)
        assert set(listed) == {grant.transaction, payment.transaction}
        assert await verify_books(store._database) == []

    asyncio.run(scenario())


def test_a_user_may_pay_for_an_organization(store: SqlAdmin, now: datetime) -> None:
    async def scenario() -> None:
        ann, acme = await _prepare(store, now)
        paid = await add_credit(store, NewCredit(Owner("ann@example.com", "Acme"), 250, False), now)
        assert isinstance(paid, Credited)
        assert (paid.transaction.user_id, paid.transaction.organization_id) == (ann.id, acme.id)
        assert await show_balance(store, ACME) == AccountBalance(f"organization:{acme.id}", 250, 0, 0, 250, 250)
        assert await show_balance(store, ANN) == AccountBalance(f"user:{ann.id}", 0, 0, 0, 0, 0)

    asyncio.run(scenario())


def test_what_an_organization_is_given_is_in_its_audit_log(store: SqlAdmin, now: datetime) -> None:
    async def scenario() -> None:
        _, acme = await _prepare(store, now)
        await add_credit(store, NewCredit(ACME, 2_500_000, True), now)
        await add_credit(store, NewCredit(ACME, 1_000_000, False), now, Actor("root", is_admin=True))
        await refund_credit(store, Refund(ACME, 500_000), now)
        await add_credit(store, NewCredit(ANN, 5, True), now)
        entries = await store.list_audit(acme.id, Page())
        assert {(one.actor, one.action, one.message) for one in entries} == {
            ("operator", "organization.promo_credit_granted", "Granted credits: $2.500000"),
            ("root", "organization.purchase_credits", "Purchased credits: $1.000000"),
            ("operator", "organization.purchase_credits", "Refunded credits: $0.500000"),
        }

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("order", "code"),
    [
        (NewCredit(ANN, 0, True), Code.BAD_REQUEST),
        (NewCredit(ANN, -1, True), Code.BAD_REQUEST),
        (NewCredit(ANN, MICRODOLLARS_MAX, True), Code.BAD_REQUEST),  # with what is there beyond 64 bits
        (NewCredit(ANN, 1, True, "a\0"), Code.BAD_REQUEST),
        (NewCredit(ANN, 1, True, "", " "), Code.BAD_REQUEST),
        (NewCredit(Owner(), 1, True), Code.BAD_REQUEST),
        (NewCredit(Owner("who"), 1, True), Code.NOT_FOUND),
        (NewCredit(Owner(organization="Who"), 1, True), Code.NOT_FOUND),
        (NewCredit(Owner("who", "Acme"), 1, True), Code.NOT_FOUND),
    ],
)
def test_a_refused_credit_changes_nothing(store: SqlAdmin, now: datetime, order: NewCredit, code: Code) -> None:
    async def scenario() -> None:
        await _prepare(store, now)
        await add_credit(store, NewCredit(ANN, 5, True), now)
        refused = await add_credit(store, order, now)
        assert isinstance(refused, Problem)
        assert refused.code is code
        balance = await show_balance(store, ANN)
        assert isinstance(balance, AccountBalance)
        assert balance.credited_microdollars == 5
        assert await verify_books(store._database) == []

    asyncio.run(scenario())


def test_listings_and_balances_need_an_account(store: SqlAdmin, now: datetime) -> None:
    async def scenario() -> None:
        for result in (
            await list_credits(store, Owner("who"), Page()),
            await show_balance(store, Owner("who")),
        ):
            assert isinstance(result, Problem)
            assert result.code is Code.NOT_FOUND
        refused = await list_credits(store, Owner("who"), Page(0))
        assert isinstance(refused, Problem)
        assert refused.code is Code.BAD_REQUEST

    asyncio.run(scenario())
