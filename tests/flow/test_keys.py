"""Keys that are for some models alone, and when keys were last used, beside a gateway that runs."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from time import monotonic
from typing import Any

from flow.accounts import Account, Accounts
from flow.commands import tollway
from flow.management import Desk
from flow.programs import Gateway
from flow.raw import ask as ask_raw
from flow.raw import request
from flow.test_identity import ask, bearer, organization
from flow.test_organizations import check_change
from flow.usage_rows import usage_of

__all__ = ["organization"]  # the fixture: an organization with credits, in which the account is a member


def restrict(gateway: Gateway, account: Account, models: str) -> float:
    """`tollway keys set`; monotonic seconds when it had ended."""
    ended = tollway(gateway.config, "keys", "set", account.key_id, "--models", models)
    assert ended.code == 0, ended.err
    return monotonic()


def answers(
    gateway: Gateway, account: Account, organization: str = ""
) -> tuple[Callable[[], bool], Callable[[], bool]]:
    """Whether sim/story is refused, and whether it is served."""

    def is_refused() -> bool:
        status, body = ask(gateway, bearer(account, organization))
        if status == 200:
            return False
        assert (status, body["error"]["code"]) == (404, "model_not_allowed")
        return True

    return is_refused, lambda: not is_refused()


def shown(gateway: Gateway, account: Account) -> dict[str, Any]:
    found: dict[str, Any] = tollway(gateway.config, "keys", "show", account.key_id, "--json").json
    return found


def listed(gateway: Gateway, account: Account) -> set[str]:
    answer = ask_raw(gateway, request(b"", b"/v1/models", account.headers, b"GET"))
    assert answer.status == 200
    return {entry["id"] for entry in answer.json["data"]}


def test_a_list_acts_in_time_both_ways(gateway: Gateway, accounts: Accounts) -> None:
    account = accounts.create()
    is_refused, is_served = answers(gateway, account)
    everything = listed(gateway, account)
    check_change(lambda: restrict(gateway, account, "sim/echo,other/*"), is_served, is_refused)
    assert ask(gateway, bearer(account), model="sim/echo")[0] == 200
    assert listed(gateway, account) == {"sim/echo"} < everything
    check_change(lambda: restrict(gateway, account, "sim/*"), is_refused, is_served)
    check_change(lambda: restrict(gateway, account, "sim/echo"), is_served, is_refused)
    check_change(lambda: restrict(gateway, account, "none"), is_refused, is_served)
    assert listed(gateway, account) == everything


def test_it_narrows_what_an_organization_allows_and_widens_nothing(
    gateway: Gateway, accounts: Accounts, account: Account, organization: str
) -> None:
    is_refused, _ = answers(gateway, account, organization)
    lists = ("--plan", "enterprise", "--model-allow-list", "sim/echo")
    ended = tollway(gateway.config, "orgs", "set", organization, *lists)
    assert ended.code == 0, ended.err
    check_change(lambda: restrict(gateway, account, "sim/story"), lambda: True, is_refused)
    assert answers(gateway, account)[1]()  # on their own account the key's list alone counts
    assert ask(gateway, bearer(account, organization), model="sim/echo")[0] == 404
    restrict(gateway, account, "none")


def test_over_http_and_a_limited_key_does_not_free_itself(gateway: Gateway, accounts: Accounts) -> None:
    desk, account = Desk(gateway, accounts), accounts.create()
    made = desk.call(account, "POST", "/keys", {"model_allow_list": ["Sim/Echo", "other/*"]})
    assert (made.status, made.json["api_key"]["model_allow_list"]) == (201, ["sim/echo", "other/*"])
    limited = replace(account, key=made.json["key"], key_id=made.json["api_key"]["id"])
    assert answers(gateway, limited)[0]()
    own = f"/keys/{limited.key_id}"
    for method, path in (("PATCH", own), ("POST", "/keys"), ("POST", f"{own}/rotate")):
        body = {"model_allow_list": None} if "rotate" not in path else None
        assert desk.call(limited, method, path, body).status == 403
    for wrong in (["*"], ["a b"], "sim/echo", [1], ["x" * 257], ["a/b"] * 501):
        assert desk.call(account, "PATCH", own, {"model_allow_list": wrong}).status == 400
    assert desk.call(account, "PATCH", own, {"label": "x"}).json["model_allow_list"] == ["sim/echo", "other/*"]
    assert desk.call(account, "PATCH", own, {"model_allow_list": None}).json["model_allow_list"] == []
    check_change(monotonic, lambda: True, answers(gateway, limited)[1])


def test_clients_begin_with_a_model_that_their_key_is_for(gateway: Gateway, accounts: Accounts) -> None:
    desk, account = Desk(gateway, accounts), accounts.create()

    def begins_with(*models: str) -> tuple[int, Any]:
        made = desk.call(account, "POST", "/keys", {"model_allow_list": list(models)})
        headers = bearer(replace(account, key=made.json["key"]))
        answer = ask_raw(gateway, request(b"", b"/api/defaults", headers, b"GET"))
        return answer.status, answer.json.get("defaultModel")

    assert begins_with("other/*", "sim/echo") == (200, "sim/echo")
    status, model = begins_with("sim/*")
    assert (status, model.partition("/")[0]) == (200, "sim")
    assert begins_with("other/*")[0] == 409


def test_the_last_use_is_shown_and_a_refusal_is_none(gateway: Gateway, accounts: Accounts) -> None:
    account = accounts.create()
    assert shown(gateway, account)["last_used_at"] is None
    assert ask(gateway, bearer(account), model="who/knows")[0] == 404
    accounts.balance(account)  # until everything is settled
    assert shown(gateway, account)["last_used_at"] is None
    assert ask(gateway, bearer(account))[0] == 200
    assert len(usage_of(accounts, account)) == 1
    key = shown(gateway, account)
    used_at = datetime.fromisoformat(key["last_used_at"])
    assert datetime.now(UTC) - timedelta(minutes=1) < used_at <= datetime.now(UTC)
    assert account.key.startswith(key["prefix"])
    desk = Desk(gateway, accounts)
    (over_http,) = desk.call(account, "GET", "/keys").json["data"]
    assert datetime.fromisoformat(over_http["last_used_at"]) == used_at


def test_the_rule_that_refused_is_in_the_log(gateway: Gateway, accounts: Accounts) -> None:
    account = accounts.create()
    check_change(lambda: restrict(gateway, account, "other/*"), lambda: True, answers(gateway, account)[0])
    accounts.balance(account)
    told = f"sim/story: not on the list of key {account.key_id}"
    ended_at = monotonic() + 5
    while not any(told in line for line in gateway.lines):
        assert monotonic() < ended_at
