import asyncio
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from msgspec import structs

from tollway.billing.ledger import Hold, HoldOrder, HoldPolicy, HoldRefused
from tollway.catalog.classification import PAID
from tollway.errors import Code, Problem
from tollway.gateway.stages import reserve_funds
from tollway.identity.anonymous import anonymous_caller
from tollway.identity.caller import Caller, Role
from tollway.identity.promotions import Promoted
from tollway.money import Microdollars
from tollway.routing.plan import Plan
from tollway.settings import parse
from unit.gateway.fakes import CALLER, NOW, USER, FakeFunds, candidate, exchange, model, services, settled


def reserve(
    funds: FakeFunds, caller: Caller = CALLER, policy: str = "partial", cost: int = 1_000, bonus: int = 20, **more: Any
) -> Hold | Problem | None:
    one, dear = exchange(), structs.replace(candidate("two"), worst_case=Microdollars(cost))
    one.caller, one.kind, one.model, one.plan = caller, PAID, model(), Plan((dear, dear), 100, 100)
    settings = parse({"hold_policy": policy, "app_url": "https://app.example/", "first_topup_bonus_usd": bonus})
    return asyncio.run(settled(reserve_funds.run(one, services(funds=funds, settings=settings, **more))))  # type: ignore[no-any-return]


@pytest.mark.parametrize("waits", [False, True], ids=["at once", "later"])
def test_the_worst_case_is_held(waits: bool) -> None:
    funds = FakeFunds(waits)
    hold = reserve(funds, policy="strict")
    assert isinstance(hold, Hold)
    assert (hold.request_id, hold.amount) == ("request-1", 1_000)
    assert funds.orders == [HoldOrder("request-1", Microdollars(1_000), (USER,), HoldPolicy.STRICT, NOW.date())]


def test_nothing_is_held_for_anonymous_callers() -> None:
    """Their ids are in no book."""
    funds = FakeFunds()
    assert reserve(funds, anonymous_caller(b"key", "::1")) is None
    assert funds.orders == []


def test_what_the_slices_cover_is_not_waited_for() -> None:
    one = exchange()
    one.caller, one.kind, one.model, one.plan = CALLER, PAID, model(), Plan((candidate(),), 100, 100)
    assert isinstance(reserve_funds.run(one, services(funds=FakeFunds())), Hold)


def test_the_dearest_candidate_must_be_covered() -> None:
    one, funds = exchange(), FakeFunds()
    dear = Microdollars(5_000)
    one.caller, one.kind, one.model = CALLER, PAID, model()
    one.plan = Plan((candidate(), structs.replace(candidate("two"), worst_case=dear)), 100, 100)
    reserve_funds.run(one, services(funds=funds))
    assert funds.orders[0].worst_case == dear


@pytest.mark.parametrize(
    ("caller", "budgets"),
    [
        (CALLER, ["user:user-1"]),
        (replace(CALLER, key_limit=Microdollars(5)), ["user:user-1", "key:key-1"]),
        (replace(CALLER, key_limit=Microdollars(0)), ["user:user-1", "key:key-1"]),  # no limit is not a limit of none
        (replace(CALLER, organization_id="o"), ["organization:o"]),
        (
            replace(CALLER, organization_id="o", member_daily_limit=Microdollars(0), key_limit=Microdollars(5)),
            ["organization:o", "member_day:o:user-1:2026-11-20", "key:key-1"],
        ),
        (replace(CALLER, member_daily_limit=Microdollars(9)), ["user:user-1"]),  # it applies inside an organization
    ],
)
def test_every_limit_is_asked_payer_first(caller: Caller, budgets: list[str]) -> None:
    funds = FakeFunds()
    reserve(funds, caller)
    assert [budget.id for budget in funds.orders[0].budgets] == budgets


@pytest.mark.parametrize("waits", [False, True], ids=["known", "asked"])
@pytest.mark.parametrize(("available", "balance"), [(0, 0), (-2_500_000, -2.5), (1_000_000, 1), (500, 0.0005)])
def test_without_money_it_is_402_with_the_balance(available: int, balance: float, waits: bool) -> None:
    funds = FakeFunds(waits)
    funds.refuses = HoldRefused(USER, Microdollars(available))
    problem = reserve(funds)
    assert isinstance(problem, Problem)
    assert problem.code is Code.INSUFFICIENT_CREDITS
    assert problem.extra == {"balance": balance, "buyCreditsUrl": "https://app.example/profile"}
    assert isinstance(problem.extra["balance"], type(balance))


def test_nothing_is_served_on_credit() -> None:
    funds = FakeFunds()
    funds.away = True
    problem = reserve(funds)
    assert isinstance(problem, Problem)
    assert (problem.code, problem.retry_after_s) == (Code.LEDGER_UNAVAILABLE, 1)


def test_a_billing_manager_spends_nothing() -> None:
    funds = FakeFunds()
    problem = reserve(funds, replace(CALLER, organization_id="o", role=Role.BILLING_MANAGER))
    assert isinstance(problem, Problem)
    assert problem.code is Code.INSUFFICIENT_CREDITS
    assert problem.extra["balance"] == 0
    assert funds.orders == []


@pytest.mark.parametrize("caller", [CALLER, replace(CALLER, organization_id="o", role=Role.BILLING_MANAGER)])
def test_what_costs_nothing_needs_no_balance(caller: Caller) -> None:
    funds = FakeFunds()
    hold = reserve(funds, caller, cost=0)
    assert isinstance(hold, Hold)
    assert funds.orders[0].worst_case == 0


@pytest.mark.parametrize(
    ("has_paid", "bonus", "title", "shown"),
    [
        (
            False,
            20,
            "Paid Model - Credits Required",
            "This is a paid model. To use paid models, you need to add credits. Get $20 free on your first topup!",
        ),
        (
            False,
            0,  # nothing is promised that the operator does not give
            "Paid Model - Credits Required",
            "This is a paid model. To use paid models, you need to add credits.",
        ),
        (True, 20, None, None),  # as in the catalogue
    ],
)
@pytest.mark.parametrize("organization_id", [None, "o"])
def test_who_never_paid_is_told_how_to_begin(
    has_paid: bool, bonus: int, title: str | None, shown: str | None, organization_id: str | None
) -> None:
    funds = FakeFunds()
    funds.refuses = HoldRefused(USER, Microdollars(0))
    caller = replace(CALLER, has_paid=has_paid, organization_id=organization_id)
    problem = reserve(funds, caller, bonus=bonus)
    assert isinstance(problem, Problem)
    assert (problem.title, problem.shown) == (title, shown)


def test_a_promotion_waives_the_balance_while_it_lasts() -> None:
    bot = replace(CALLER, bot_id="reviewer")
    lasting = {"vendor/name": (Promoted("bot_id", "reviewer", None, NOW + timedelta(seconds=1)),)}
    over = {"vendor/name": (Promoted("bot_id", "reviewer", None, NOW),)}
    for caller, promotions, held in ((bot, lasting, 0), (bot, over, 1_000), (CALLER, lasting, 1_000)):
        funds = FakeFunds()
        assert isinstance(reserve(funds, caller, promotions=promotions), Hold)
        assert funds.orders[0].worst_case == held
