"""A subscriber's whole life against the real program, once by commands alone and once over HTTP alone."""

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from flow.accounts import Account, Accounts
from flow.commands import tollway
from flow.conversation import ask, chat
from flow.management import Desk, message
from flow.patience import until
from flow.programs import Gateway, Sim, settings_for

PRICE, BONUS = 20_000, 10_000  # micro-dollars; of the first month, half of it
PRESET = """
[subscriptions]
tiers = { small = "0.02" }
percent = "0.05"
percent_step = "0.05"
percent_max = "0.40"
first_months_percent = "0.5"
"""
DEAR = """
[[models]]
id = "dear/story"
provider = "plain"
upstream_model = "sim/story"
prompt_usd_per_million = "1"
completion_usd_per_million = "20"
"""
REQUESTS_MAX = 100
OK = 200


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory, sim: Sim) -> Iterator[Gateway]:
    folder: Path = tmp_path_factory.mktemp("subscriptions")
    (folder / "mine.toml").write_text(PRESET)
    program = Gateway(folder, settings_for(folder, sim.url, top=f'preset = "{folder}/mine.toml"', models=DEAR))
    yield program
    program.stop()


@pytest.fixture(scope="module")
def accounts(gateway: Gateway) -> Accounts:
    return Accounts(gateway.config)


def use_up(gateway: Gateway, accounts: Accounts, account: Account) -> None:
    """Ask until what was paid is used; the bonus may be there by then."""
    for _ in range(REQUESTS_MAX):
        if accounts.spent(account) >= PRICE:
            return
        assert ask(gateway, account, chat("dear/story")).status == OK
    raise AssertionError("it is not used up")


def check_life(
    gateway: Gateway, accounts: Accounts, account: Account, show: Callable[[], Any], pay: Callable[[], Any]
) -> None:
    """Paid twice with one id it is booked once; used up the bonus comes, once, and with its expiry."""
    first, again = pay(), pay()
    assert (first["is_repeat"], again["is_repeat"]) == (False, True)
    assert again["credit_transaction_id"] == first["credit_transaction_id"]
    assert accounts.balance(account) == PRICE
    assert show()["months"][0]["bonus_microdollars"] is None
    use_up(gateway, accounts, account)
    (month,) = until(lambda: [one for one in show()["months"] if one["bonus_microdollars"]])
    assert (month["base_microdollars"], month["bonus_microdollars"]) == (PRICE, BONUS)
    assert ask(gateway, account, chat("sim/story")).status == OK
    assert [event["action"] for event in show()["events"]].count("bonus_credits_issued") == 1
    assert accounts.differences() == ()


def test_by_command_alone(gateway: Gateway, accounts: Accounts) -> None:
    def run(*words: str) -> Any:
        return tollway(gateway.config, *words, "--json").json

    user = run("users", "create", "ann@example.com", "--name", "Ann")
    made = run("keys", "create", "--user", user["id"])
    account = Account(user["id"], user["email"], made["key"], made["id"])
    started = run("subscriptions", "start", user["email"], "small", "--external-id", "sub_ann")
    check_life(
        gateway,
        accounts,
        account,
        lambda: run("subscriptions", "show", "sub_ann"),
        lambda: run("subscriptions", "pay", "sub_ann", "in_1"),
    )
    bonus = next(one for one in run("credits", "list", "--user", user["id"]) if one["is_free"])
    shown = run("subscriptions", "show", started["id"])
    assert bonus["expiry_date"] == shown["paid_until"]
    assert run("subscriptions", "cancel", "sub_ann")["is_cancelling"] is True
    ended = run("subscriptions", "end", "sub_ann")
    assert (ended["status"], ended["ended_at"] is not None) == ("canceled", True)
    refused = tollway(gateway.config, "subscriptions", "pay", "sub_ann", "in_2")
    assert (refused.code, refused.err) == (1, "tollway: The subscription has ended: start another one\n")
    assert accounts.differences() == ()


def test_over_http_alone(gateway: Gateway, accounts: Accounts) -> None:
    desk = Desk(gateway, accounts)
    admin, account = desk.administrator(), accounts.create(0)

    def call(method: str, path: str, body: object = None, **headers: str) -> Any:
        answer = desk.call(admin, method, path, body, headers)
        assert answer.status in (200, 201), answer.body
        return answer.json

    order = {"user_id": account.user_id, "tier": "small", "external_id": "sub_http"}
    started = call("POST", "/subscriptions", order, **{"Idempotency-Key": "start"})
    assert call("POST", "/subscriptions", order, **{"Idempotency-Key": "start"}) == started
    refused = desk.call(admin, "POST", "/subscriptions", order)
    assert (refused.status, "already" in message(refused)) == (409, True)
    one = f"/subscriptions/{started['id']}"

    def show() -> Any:
        found = call("GET", one)
        return {**found, **found["subscription"]}

    # What is repeated with its payment id needs no Idempotency-Key.
    check_life(
        gateway,
        accounts,
        account,
        show,
        lambda: call("POST", "/subscriptions/sub_http/payments", {"payment_id": "in_http"}),
    )
    assert show()["streak_months"] == 1
    assert call("PATCH", one, {"status": "past_due"})["status"] == "past_due"
    assert call("POST", f"{one}/cancel")["is_cancelling"] is True
    assert call("POST", f"{one}/resume")["is_cancelling"] is False
    assert call("POST", f"{one}/end")["status"] == "canceled"
    assert desk.call(admin, "POST", f"{one}/payments", {"payment_id": "in_9"}).status == 409
    listed = call("GET", f"/subscriptions?user_id={account.user_id}")
    assert [entry["id"] for entry in listed["data"]] == [started["id"]]
    assert accounts.differences() == ()


def test_pages_of_subscriptions(gateway: Gateway, accounts: Accounts) -> None:
    desk = Desk(gateway, accounts)
    admin, account = desk.administrator(), accounts.create(0)
    for number in range(3):
        order = {"user_id": account.user_id, "tier": "small", "external_id": f"page_{number}", "cadence": "yearly"}
        assert desk.call(admin, "POST", "/subscriptions", order).status == 201
    seen, cursor = [], ""
    while cursor is not None:
        more = f"&cursor={cursor}" if cursor else ""
        page = desk.call(admin, "GET", f"/subscriptions?user_id={account.user_id}&limit=2{more}").json
        seen += [one["external_id"] for one in page["data"]]
        cursor = page["next_cursor"]
    assert seen == ["page_2", "page_1", "page_0"]


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("GET", "/subscriptions", None),
        ("POST", "/subscriptions", {"user_id": "x", "tier": "small", "external_id": "e"}),
        ("GET", "/subscriptions/sub_http", None),
        ("PATCH", "/subscriptions/sub_http", {"tier": "small"}),
        ("POST", "/subscriptions/sub_http/payments", {"payment_id": "p"}),
        ("POST", "/subscriptions/sub_http/cancel", None),
        ("POST", "/subscriptions/sub_http/resume", None),
        ("POST", "/subscriptions/sub_http/end", None),
        ("GET", "/users/{own}/auto-top-up", None),
        ("PATCH", "/users/{own}/auto-top-up", {"amount_microdollars": 5_000_000}),
        ("PATCH", "/users/{own}", {"name": "Me"}),
        ("POST", "/users/{own}/reset-tokens", None),
    ],
)
def test_they_are_for_administrators(
    gateway: Gateway, accounts: Accounts, method: str, path: str, body: object
) -> None:
    desk, account = Desk(gateway, accounts), accounts.create(0)
    assert desk.call(account, method, path.format(own=account.user_id), body).status == 403
    assert desk.call(None, method, path.format(own=account.user_id), body).status == 401


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"tier": "small", "external_id": "e"}, "user_id"),
        ({"user_id": "{own}", "tier": "large", "external_id": "e"}, "tier"),
        ({"user_id": "{own}", "tier": "small", "external_id": "e", "cadence": "daily"}, "cadence"),
        ({"user_id": "{own}", "tier": "small", "external_id": "e", "streak_months": -1}, "streak_months"),
        ({"user_id": "{own}", "tier": "small", "external_id": "e", "started_at": "2026-01-01"}, "started_at"),
        ({"user_id": "{own}", "tier": "small", "external_id": "e", "status": "active"}, "body"),
    ],
)
def test_what_is_wrong_is_named(gateway: Gateway, accounts: Accounts, body: object, field: str) -> None:
    desk = Desk(gateway, accounts)
    admin = desk.administrator()
    entered = json.loads(json.dumps(body).replace("{own}", admin.user_id))
    answer = desk.call(admin, "POST", "/subscriptions", entered)
    assert (answer.status, message(answer).partition(":")[0]) == (400, field)


def test_the_next_month_of_a_yearly_payment_begins_by_itself(gateway: Gateway, accounts: Accounts) -> None:
    desk = Desk(gateway, accounts)
    admin, account = desk.administrator(), accounts.create(0)
    begun = (datetime.now(UTC) - timedelta(days=40)).isoformat()
    order = {"user_id": account.user_id, "tier": "small", "external_id": "sub_late", "cadence": "yearly"}
    assert desk.call(admin, "POST", "/subscriptions", {**order, "started_at": begun}).status == 201
    payment = {"payment_id": "late", "paid_at": begun}
    assert desk.call(admin, "POST", "/subscriptions/sub_late/payments", payment).status == 201
    until(lambda: accounts.balance(account) == 2 * PRICE)
    shown = desk.call(admin, "GET", "/subscriptions/sub_late").json
    assert [one["payment_id"] for one in shown["months"]] == [None, "late"]
    assert shown["subscription"]["streak_months"] == 2
    assert accounts.differences() == ()


def test_a_yearly_payment_and_a_month_that_is_named(gateway: Gateway, accounts: Accounts) -> None:
    desk = Desk(gateway, accounts)
    admin, account = desk.administrator(), accounts.create(0)
    order = {"user_id": account.user_id, "tier": "small", "external_id": "sub_year", "cadence": "yearly"}
    assert desk.call(admin, "POST", "/subscriptions", order).status == 201
    month = {"payment_id": "y0", "month": datetime.now(UTC).date().isoformat()}
    assert desk.call(admin, "POST", "/subscriptions/sub_year/payments", month).status == 400
    paid = desk.call(admin, "POST", "/subscriptions/sub_year/payments", {"payment_id": "y1"})
    assert (paid.status, paid.json["amount_microdollars"]) == (201, PRICE)
    assert paid.json["subscription"]["next_issue_at"] < paid.json["subscription"]["paid_until"]
    assert accounts.balance(account) == PRICE
