"""The routes that clients call about their account, login of devices, and what a request tells of itself."""

import re
from datetime import timedelta
from urllib.parse import quote

import pytest
from sqlalchemy import update

from flow.accounts import Account, Accounts
from flow.conversation import ask as ask_model
from flow.conversation import chat
from flow.management import Desk
from flow.programs import Gateway
from tollway.clock import utc_now
from tollway.identity.caller import Role
from tollway.ids import new_id
from tollway.storage.sql.admin.store import SqlAdmin
from tollway.storage.sql.database import Database
from tollway.storage.sql.management_tables import device_logins

CODES = "/api/device-auth/codes"
REQUESTS = "/api/device-auth/requests"
HOSTILE = '<img src=x onerror="alert(1)">\x85\xa9\t' + "x" * 8_000  # goes out as UTF-8, and is read as Latin-1


@pytest.fixture
def desk(gateway: Gateway, accounts: Accounts) -> Desk:
    return Desk(gateway, accounts)


@pytest.mark.parametrize("path", ["/api/profile", "/api/profile/balance", "/api/user", "/api/gateway/usage"])
def test_without_a_credential_the_body_is_the_one_clients_know(desk: Desk, path: str) -> None:
    answer = desk.call(None, "GET", path)
    assert answer.status == 401
    assert answer.json == {"error": "Unauthorized - authentication required", "success": False}


def test_a_profile_names_the_organizations(desk: Desk, account: Account) -> None:
    assert "organizations" not in desk.call(account, "GET", "/api/profile").json
    organization = desk.organization((account, Role.MEMBER))
    profile = desk.call(account, "GET", "/api/profile").json
    assert [(one["id"], one["role"]) for one in profile["organizations"]] == [(organization, "member")]
    user = {"id": account.user_id, "email": account.email, "name": "", "image": ""}
    assert profile["user"] == desk.call(account, "GET", "/api/user").json == user


def test_a_balance_is_in_usd(desk: Desk, account: Account) -> None:
    organization = desk.organization((account, Role.MEMBER))
    assert desk.call(account, "GET", "/api/profile/balance").json == {"balance": 10.0, "isDepleted": False}
    header = {"x-kilocode-organizationid": organization}
    told = desk.call(account, "GET", "/api/profile/balance", headers=header).json
    assert told == {"balance": 0.0, "isDepleted": True}


def test_an_organization_is_its_members(desk: Desk, account: Account) -> None:
    owner = desk.accounts.create()
    organization = desk.organization((owner, Role.OWNER), (account, Role.MEMBER))
    alert = {"minimum_balance_microdollars": 5_000_000, "minimum_balance_alert_email": ["a@example.com"]}
    assert desk.call(owner, "PATCH", f"/organizations/{organization}", {"settings": alert}).status == 200
    path = f"/api/organizations/{organization}"
    assert desk.call(owner, "GET", path).json["settings"]["minimum_balance_alert_email"] == ["a@example.com"]
    seen = desk.call(account, "GET", path).json
    assert seen["id"] == organization
    assert "minimum_balance_alert_email" not in seen["settings"]
    assert seen["settings"]["code_indexing_enabled"] is False
    assert desk.call(desk.accounts.create(), "GET", path).status == 403
    assert desk.call(account, "GET", f"{path}/modes").json == {"modes": []}
    token = desk.call(account, "POST", f"{path}/user-tokens").json
    bound = Account(account.user_id, account.email, token["token"], "")
    assert desk.call(bound, "GET", path).status == 200
    assert desk.call(bound, "POST", f"{path}/user-tokens").status == 403  # it has an expiry of its own
    assert "organization.token.generate" in str(
        desk.call(owner, "GET", f"/organizations/{organization}/audit-log").json
    )


def test_usage_is_listed_page_by_page(desk: Desk, gateway: Gateway, account: Account) -> None:
    asked = [ask_model(gateway, account, chat("sim/echo")).request_id for _ in range(3)]
    desk.accounts.balance(account)  # once they are settled
    seen: list[str] = []
    cursor: str | None = ""
    while cursor is not None:
        page = desk.call(account, "GET", f"/usage?limit=1{cursor and f'&cursor={cursor}'}")
        assert page.status == 200
        seen += [row["id"] for row in page.json["data"]]
        cursor = page.json["next_cursor"]
    assert seen == sorted(asked, reverse=True)
    refused = desk.call(account, "GET", "/usage?cursor=%00")
    assert (refused.status, refused.json["error"]["code"]) == (400, "bad_request")


def test_limits_and_what_was_used(desk: Desk, gateway: Gateway) -> None:
    account = desk.accounts.create(key_limit=2_000_000)
    answer = ask_model(gateway, account, chat("sim/story"))
    assert answer.status == 200
    cost = 10_000_000 - desk.accounts.balance(account)
    (limit,) = desk.call(account, "GET", "/api/gateway/usage").json["limits"]
    assert limit == {"kind": "key", "limit_usd": 2.0, "used_usd": cost / 1_000_000, "resets_at": None}
    (used,) = desk.call(account, "GET", "/api/profile/usage?groupByModel=true").json["usage"]
    assert (used["model"], used["total_cost"], used["request_count"]) == ("sim/story", cost, 1)
    (listed,) = desk.call(account, "GET", "/usage").json["data"]
    assert (listed["id"], listed["cost_microdollars"]) == (answer.request_id, cost)
    csv = desk.call(account, "GET", "/usage?format=csv")
    assert csv.headers["content-type"].startswith("text/csv")
    assert csv.body.count(b"\r\n") == 2


def test_a_request_is_explained_to_those_it_is_of(desk: Desk, gateway: Gateway, account: Account) -> None:
    answer = ask_model(gateway, account, chat("sim/story"))
    desk.accounts.balance(account)
    path = f"/requests/{answer.request_id}"
    mine = desk.call(account, "GET", path).json
    assert mine["request"]["id"] == answer.request_id
    assert not {"absorbed_microdollars", "market_cost_microdollars"} & set(mine["request"])
    assert desk.call(desk.administrator(), "GET", path).json["entries"]
    stranger = desk.accounts.create()
    foreign, missing = (desk.call(stranger, "GET", one) for one in (path, f"/requests/{new_id()}"))
    assert (foreign.status, foreign.json["error"]["message"]) == (missing.status, missing.json["error"]["message"])


def test_a_device_logs_in(desk: Desk, account: Account) -> None:
    began = desk.call(None, "POST", CODES).json
    code = began["code"]
    assert re.fullmatch(r"[A-HJ-NP-Z2-9]{4}-[A-HJ-NP-Z2-9]{4}", code)
    assert began["expiresIn"] == 600
    assert began["verificationUrl"].endswith(f"/device-auth?code={quote(code)}")
    poll = f"{CODES}/{code}"
    assert desk.call(None, "GET", poll).status == 202
    assert desk.call(None, "POST", "/api/device-auth/tokens", {"code": code}).status == 401
    assert desk.call(account, "POST", "/api/device-auth/tokens", {"code": "nonsense"}).status == 400
    assert desk.call(account, "POST", "/api/device-auth/tokens", {"code": code}).json == {"success": True}
    given = desk.call(None, "GET", poll).json
    assert (given["status"], given["userId"], given["userEmail"]) == ("approved", account.user_id, account.email)
    device = Account(account.user_id, account.email, given["token"], "")
    assert desk.call(device, "GET", "/api/user").status == 200
    gone = desk.call(None, "GET", poll)
    assert (gone.status, gone.json) == (410, {"status": "expired"})


def test_a_device_is_denied(desk: Desk, account: Account) -> None:
    code = desk.call(None, "POST", CODES).json["code"]
    assert desk.call(account, "DELETE", f"{CODES}/{code}").json == {"success": True}
    assert desk.call(None, "GET", f"{CODES}/{code}").status == 403


def test_who_asks_for_a_login_is_shown_to_who_is_signed_in(desk: Desk, account: Account) -> None:
    code = desk.call(None, "POST", CODES, headers={"User-Agent": "tollway/1.0"}).json["code"]
    path = f"{REQUESTS}/{code}"
    unknown = desk.call(None, "GET", path)
    assert (unknown.status, unknown.json) == (401, desk.call(None, "DELETE", f"{CODES}/{code}").json)
    shown = desk.call(account, "GET", path)
    assert shown.status == 200
    assert 590 <= shown.json.pop("expiresIn") <= 600
    assert desk.call(account, "GET", path).json.keys() == {"userAgent", "address", "expiresIn"}
    for nobody in ("ZZZZ-ZZZZ", "nonsense", "%3Cb%3E"):
        answer = desk.call(account, "GET", f"{REQUESTS}/{nobody}")
        assert (answer.status, answer.json["success"]) == (404, False)
    assert desk.call(account, "DELETE", f"{CODES}/{code}").status == 200
    decided = desk.call(account, "GET", path)
    assert (decided.status, decided.json) == (409, {"error": "This code is not waiting any more", "success": False})
    assert decided.json == desk.call(account, "DELETE", f"{CODES}/{code}").json


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ("tollway/1.0", "tollway/1.0"),
        ("", None),
        (HOSTILE, '<img src=x onerror="alert(1)">\xc2\xc2\xa9' + "x" * 165),
    ],
    ids=["ours", "nothing", "hostile"],
)
def test_what_a_device_calls_itself_is_told_as_text(desk: Desk, account: Account, said: str, told: str | None) -> None:
    code = desk.call(None, "POST", CODES, headers={"User-Agent": said} if said else {}).json["code"]
    shown = desk.call(account, "GET", f"{REQUESTS}/{code}").json
    assert (shown["userAgent"], shown["address"]) == (told, "127.0.0.1")
    desk.call(account, "DELETE", f"{CODES}/{code}")


def test_a_request_that_nobody_decided_is_gone(desk: Desk, account: Account) -> None:
    code = desk.call(None, "POST", CODES).json["code"]

    async def work(_: SqlAdmin, database: Database) -> None:
        ended = update(device_logins).values(expires_at=utc_now() - timedelta(seconds=1))
        await database.write(lambda connection: connection.execute(ended))

    desk.accounts.run(work)
    answer = desk.call(account, "GET", f"{REQUESTS}/{code}")
    assert (answer.status, answer.json) == (410, {"error": "This code is not waiting any more", "success": False})
