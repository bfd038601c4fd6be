"""A balance runs low: the operator's webhook is told, and answers with a payment that is booked once."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from flow.accounts import Account, Accounts
from flow.commands import tollway
from flow.conversation import ask, chat
from flow.management import Desk
from flow.programs import Gateway, Sim, settings_for
from flow.receiver import Receiver
from tollway.identity.caller import Role

LOW = 3_000_000
TOP_UP = 20_000_000


@pytest.fixture(scope="module")
def receiver() -> Iterator[Receiver]:
    with Receiver(503) as one:  # the first time it is busy, and is told again
        yield one


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory, sim: Sim, receiver: Receiver) -> Iterator[Gateway]:
    folder: Path = tmp_path_factory.mktemp("top-ups")
    program = Gateway(folder, settings_for(folder, sim.url) + f'\n[notices]\nurl = "{receiver.url}/tollway"\n')
    yield program
    program.stop()


@pytest.fixture
def accounts(gateway: Gateway) -> Iterator[Accounts]:
    all_ = Accounts(gateway.config)
    yield all_
    assert all_.differences() == ()


def uses(gateway: Gateway, account: Account) -> int:
    return ask(gateway, account, chat()).status


def test_by_command(gateway: Gateway, accounts: Accounts, receiver: Receiver) -> None:
    """Once it is turned on, used and told; the payment is booked once, and the next low balance is told again."""

    def run(*words: str) -> Any:
        return tollway(gateway.config, *words, "--json").json

    account = accounts.create(LOW)
    assert uses(gateway, account) == 200
    assert accounts.balance(account) < LOW
    assert receiver.is_untouched
    run("users", "set", account.email, "--auto-top-up", "20")
    assert uses(gateway, account) == 200
    refused, notice = receiver.next(), receiver.next()
    assert refused == notice  # of the one that was busy
    assert (notice["type"], notice["data"]["user_id"]) == ("top_up_due", account.user_id)
    assert (notice["data"]["account"], notice["data"]["amount_microdollars"]) == (f"user:{account.user_id}", TOP_UP)
    before = accounts.balance(account)
    assert notice["data"]["balance_microdollars"] == before
    assert run("users", "show", account.email)["auto_top_up"]["attempt_started_at"] is not None
    pay = ("credits", "pay", "20", "--user", notice["data"]["user_id"], "--payment-id", notice["id"])
    assert [run(*pay)["is_repeat"] for _ in range(2)] == [False, True]
    assert accounts.balance(account) == before + TOP_UP
    assert run("users", "show", account.email)["auto_top_up"]["attempt_started_at"] is None
    off = run("users", "set", account.email, "--auto-top-up", "off", "--auto-top-up-reason", "card declined")
    assert off["auto_top_up"]["disabled_reason"] == "card declined"


def test_over_http_also_where_nothing_is_left(gateway: Gateway, accounts: Accounts, receiver: Receiver) -> None:
    """A refusal asks for it too: nothing is settled that could."""
    desk = Desk(gateway, accounts)
    admin, account = desk.administrator(), accounts.create(0)
    path = f"/users/{account.user_id}/auto-top-up"
    assert desk.call(admin, "PATCH", path, {"is_enabled": True}).status == 400
    set_ = desk.call(admin, "PATCH", path, {"amount_microdollars": TOP_UP})
    assert (set_.status, set_.json["is_enabled"], set_.json["below_microdollars"]) == (200, True, 5_000_000)
    assert uses(gateway, account) == 402
    notice = receiver.next()
    assert (notice["type"], notice["data"]["user_id"]) == ("top_up_due", account.user_id)
    payment = {
        "user_id": account.user_id,
        "amount_microdollars": notice["data"]["amount_microdollars"],
        "is_free": False,
        "payment_id": notice["id"],
    }
    first, again = (desk.call(admin, "POST", "/credits", payment) for _ in range(2))
    assert (first.status, first.json["is_repeat"], again.json["is_repeat"]) == (201, False, True)
    assert desk.call(admin, "POST", "/credits", {**payment, "amount_microdollars": 1}).status == 409
    assert accounts.balance(account) == TOP_UP
    assert desk.call(admin, "GET", path).json["attempt_started_at"] is None


def test_an_organization_that_runs_low(gateway: Gateway, accounts: Accounts, receiver: Receiver) -> None:
    """The alert that was set is told, which a setting under another name once kept from happening; and the top-up."""
    desk = Desk(gateway, accounts)
    admin, owner = desk.administrator(), accounts.create(0)
    organization = desk.organization((owner, Role.OWNER))
    where = f"/organizations/{organization}"
    alert = {"minimum_balance_microdollars": 5_000_000, "minimum_balance_alert_email": ["boss@example.com"]}
    assert desk.call(owner, "PATCH", where, {"settings": alert}).status == 200
    assert desk.call(owner, "PATCH", f"{where}/auto-top-up", {"amount_microdollars": 500_000_000}).status == 403
    assert desk.call(admin, "PATCH", f"{where}/auto-top-up", {"amount_microdollars": 500_000_000}).status == 200
    assert desk.call(owner, "GET", f"{where}/auto-top-up").json["amount_microdollars"] == 500_000_000
    credit = {"organization_id": organization, "amount_microdollars": 5_000_000}
    assert desk.call(admin, "POST", "/credits", credit).status == 201
    made = desk.call(owner, "POST", f"/keys?organizationId={organization}", {"label": "ours"})
    member = Account(owner.user_id, owner.email, made.json["key"], made.json["api_key"]["id"])
    assert uses(gateway, member) == 200
    told = {notice["type"]: notice["data"] for notice in (receiver.next(), receiver.next())}
    assert told["low_balance"]["recipients"] == ["boss@example.com"]
    assert told["low_balance"]["minimum_microdollars"] == 5_000_000
    assert told["top_up_due"]["organization_id"] == organization
    assert "Enabled auto top-up: 500000000 micro-dollars" in desk.audit(owner, organization)
