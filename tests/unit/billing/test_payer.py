from dataclasses import replace
from datetime import date

import pytest
from msgspec.msgpack import Decoder

from tollway.billing.ledger import BUDGET_ORDER, BudgetKind, BudgetRef
from tollway.billing.payer import CALLERS_KEPT, budgets_of, payer_part
from tollway.billing.recovery import PayerPart
from tollway.identity.caller import Caller
from tollway.money import Microdollars

DAY = date(2026, 11, 20)
ADA = Caller("ada", "ada@example.com", key_id="k")
IN_TEAM = replace(ADA, organization_id="o")
TEN, NONE = Microdollars(10), Microdollars(0)

OWN = BudgetRef(BudgetKind.USER, "ada")
TEAM = BudgetRef(BudgetKind.ORGANIZATION, "o")
TODAY = BudgetRef(BudgetKind.MEMBER_DAY, "o:ada:2026-11-20", TEN)
KEY = BudgetRef(BudgetKind.KEY, "k", TEN)


@pytest.mark.parametrize(
    ("caller", "budgets"),
    [
        (ADA, (OWN,)),
        (replace(ADA, key_limit=TEN), (OWN, KEY)),
        (replace(ADA, key_limit=TEN, key_id=None), (OWN,)),  # a session has no key
        (replace(ADA, member_daily_limit=TEN), (OWN,)),  # it applies inside an organization
        (IN_TEAM, (TEAM,)),
        (replace(IN_TEAM, member_daily_limit=TEN), (TEAM, TODAY)),
        (replace(IN_TEAM, key_limit=TEN), (TEAM, KEY)),
        (replace(IN_TEAM, member_daily_limit=TEN, key_limit=TEN), (TEAM, TODAY, KEY)),
        # a limit of nothing is not the absence of one
        (
            replace(IN_TEAM, member_daily_limit=NONE, key_limit=NONE),
            (TEAM, BudgetRef(TODAY.kind, TODAY.owner, NONE), BudgetRef(KEY.kind, KEY.owner, NONE)),
        ),
    ],
)
def test_the_payer_comes_first_then_every_limit_in_lock_order(caller: Caller, budgets: tuple[BudgetRef, ...]) -> None:
    assert budgets_of(caller, DAY) == budgets
    assert list(budgets) == sorted(budgets, key=lambda ref: BUDGET_ORDER[ref.kind])


def test_a_member_has_a_budget_for_each_day() -> None:
    caller = replace(IN_TEAM, member_daily_limit=TEN)
    owners = [budgets_of(caller, date(2026, 11, day))[1].owner for day in (20, 21)]
    assert owners == ["o:ada:2026-11-20", "o:ada:2026-11-21"]


def test_they_are_kept_for_the_next_request() -> None:
    assert budgets_of(ADA, DAY) is budgets_of(replace(ADA), DAY)
    assert payer_part(ADA, DAY) is payer_part(replace(ADA), DAY)
    for cache in (budgets_of, payer_part):
        assert cache.cache_info().maxsize == CALLERS_KEPT


def test_of_callers_that_look_alike_each_has_its_own() -> None:
    """All that is hashed of a caller is user and key; all of it is compared."""
    lowered = replace(ADA, key_limit=TEN)
    assert hash(lowered) == hash(ADA)
    assert budgets_of(ADA, DAY) != budgets_of(lowered, DAY)
    assert bytes(payer_part(ADA, DAY)) != bytes(payer_part(lowered, DAY))


@pytest.mark.parametrize("caller", [ADA, replace(IN_TEAM, member_daily_limit=TEN, key_limit=NONE)])
def test_the_journal_gets_the_same(caller: Caller) -> None:
    part = Decoder(PayerPart).decode(payer_part(caller, DAY))
    assert part == PayerPart("ada", caller.organization_id, "k", budgets_of(caller, DAY))
    assert b"example.com" not in bytes(payer_part(caller, DAY))
