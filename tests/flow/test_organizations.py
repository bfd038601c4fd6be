"""What an organization decides about its members' requests, set by command beside a gateway that runs."""

from collections.abc import Callable
from datetime import UTC, datetime
from time import monotonic

import pytest

from flow.accounts import Account, Accounts
from flow.commands import tollway
from flow.programs import Gateway
from flow.test_identity import SECONDS_MAX, ask, balance_of, bearer, organization, run
from tollway.admin.members import set_daily_limit
from tollway.admin.office import Office
from tollway.admin.organizations import add_member
from tollway.admin.ownership import OPERATOR
from tollway.identity.caller import Role

__all__ = ["organization"]  # the fixture: an organization with credits, in which the account is a member


def decide(gateway: Gateway, organization: str, *words: str) -> float:
    """`tollway orgs set`; monotonic seconds when it had ended."""
    ended = tollway(gateway.config, "orgs", "set", organization, *words)
    assert ended.code == 0, ended.err
    return monotonic()


def check_change(act: Callable[[], float], old: Callable[[], bool], new: Callable[[], bool]) -> None:
    """What is old holds before `act`; what is new holds within the promised time after it, and stays."""
    assert old()
    acted_at = act()
    began = monotonic()
    while not new():
        assert began - acted_at < SECONDS_MAX
        began = monotonic()
    for _ in range(20):
        assert new()


def test_an_allow_list_acts_in_time_both_ways(gateway: Gateway, account: Account, organization: str) -> None:
    def is_refused() -> bool:
        status, body = ask(gateway, bearer(account, organization))
        if status == 200:
            return False
        assert (status, body["error"]["code"]) == (404, "model_not_allowed")
        assert body["error"]["message"] == "The requested model is not allowed for your team."
        return True

    def is_served() -> bool:
        return not is_refused()

    lists = ("--plan", "enterprise", "--model-allow-list", "sim/echo,other/*")
    check_change(lambda: decide(gateway, organization, *lists), is_served, is_refused)
    assert ask(gateway, bearer(account, organization), model="sim/echo")[0] == 200
    assert ask(gateway, bearer(account))[0] == 200  # on their own account nothing is restricted
    check_change(lambda: decide(gateway, organization, "--model-allow-list", "other/*,sim/*"), is_refused, is_served)
    check_change(lambda: decide(gateway, organization, "--model-deny-list", "sim/story"), is_served, is_refused)
    check_change(lambda: decide(gateway, organization, "--plan", "teams"), is_refused, is_served)


def test_what_is_refused_costs_nothing(
    gateway: Gateway, accounts: Accounts, account: Account, organization: str
) -> None:
    decide(gateway, organization, "--plan", "enterprise", "--model-allow-list", "nothing/here")
    before = balance_of(accounts, organization)
    assert ask(gateway, bearer(account, organization))[0] == 404
    assert balance_of(accounts, organization) == before


def test_paid_by_seat_the_members_limit_does_not_count(
    gateway: Gateway, accounts: Accounts, account: Account, organization: str
) -> None:
    run(
        accounts,
        lambda store: set_daily_limit(Office(store, OPERATOR, datetime.now(UTC)), organization, account.user_id, 0),
    )

    def is_served() -> bool:
        return ask(gateway, bearer(account, organization))[0] == 200

    def is_refused() -> bool:
        return ask(gateway, bearer(account, organization))[0] == 402

    check_change(lambda: decide(gateway, organization, "--require-seats"), is_refused, is_served)
    check_change(lambda: decide(gateway, organization, "--no-require-seats"), is_served, is_refused)


@pytest.mark.parametrize("lists", [(), ("--plan", "enterprise", "--model-allow-list", "nothing/here")])
def test_a_billing_manager_spends_nothing(
    gateway: Gateway, accounts: Accounts, organization: str, lists: tuple[str, ...]
) -> None:
    """With neither a plan nor settings of the organization, so 402 it is."""
    manager = accounts.create()
    if lists:
        decide(gateway, organization, *lists)
    now = datetime.now(UTC)
    run(accounts, lambda store: add_member(store, organization, manager.user_id, Role.BILLING_MANAGER, now))
    status, body = ask(gateway, bearer(manager, organization))
    assert (status, body["error"]["code"], body["error"]["balance"]) == (402, "insufficient_credits", 0)
    assert ask(gateway, bearer(manager))[0] == 200
