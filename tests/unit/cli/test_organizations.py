import pytest

FIELDS = (
    "id",
    "name",
    "plan",
    "created_at",
    "require_seats",
    "model_allow_list",
    "provider_allow_list",
    "model_deny_list",
    "provider_deny_list",
    "minimum_balance_microdollars",
    "minimum_balance_alert_email",
    "code_indexing_enabled",
    "data_collection",
    "default_model",
    "prompt_prefix_days",
    "request_log_days",
)


def test_an_organization_and_its_members(acme) -> None:
    shown = acme("orgs", "show", "Acme", "--json").json
    assert set(shown) == {*FIELDS, "members", "auto_top_up"}
    (member,) = shown["members"]
    assert set(member) == {"organization_id", "user_id", "email", "role", "daily_limit_microdollars", "is_bot"}
    assert (member["email"], member["role"], member["daily_limit_microdollars"]) == ("ann@example.com", "owner", None)
    assert acme("orgs", "show", shown["id"], "--json").json == shown
    listed = acme("orgs", "list", "--json").json
    assert listed == [{name: shown[name] for name in FIELDS}]
    assert "Acme" in acme("orgs", "list").out
    assert "owner" in acme("orgs", "show", "Acme").out


def test_what_an_organization_allows_is_set_one_by_one(acme) -> None:
    def changed(*words: str) -> dict:
        shown = acme("orgs", "set", "Acme", *words, "--json").json
        return {name: value for name, value in shown.items() if name not in ("id", "name", "created_at") and value}

    assert changed("--plan", "enterprise") == {"plan": "enterprise"}
    wanted = {"plan": "enterprise", "require_seats": True, "model_allow_list": ["b/c", "a/*"]}
    assert changed("--require-seats", "--model-allow-list", "b/c, a/*,b/c") == wanted
    more = {**wanted, "provider_allow_list": ["x"], "provider_deny_list": ["y"], "data_collection": "deny"}
    lists = ("--provider-allow-list", "x", "--provider-deny-list", "y")
    assert changed(*lists, "--data-collection", "deny") == more
    shown = acme("orgs", "show", "Acme", "--json").json
    assert {name: shown[name] for name in more} == more
    assert acme("orgs", "show", "Acme").out.count("b/c, a/*") == 1
    away = ("--model-allow-list", "none", "--provider-allow-list", "none", "--provider-deny-list", "none")
    assert changed("--no-require-seats", "--data-collection", "none", *away) == {"plan": "enterprise"}
    assert changed("--default-model", "b/c") == {"plan": "enterprise", "default_model": "b/c"}
    assert changed("--default-model", "none") == {"plan": "enterprise"}
    text = {"plan": "enterprise", "prompt_prefix_days": 30, "request_log_days": 1}
    assert changed("--prompt-prefix-days", "30", "--request-log-days", "1") == text
    assert changed("--prompt-prefix-days", "none", "--request-log-days", "none") == {"plan": "enterprise"}
    for days in ("0", "366", "-1", "soon", "1.5"):
        assert acme("orgs", "set", "Acme", f"--request-log-days={days}").code != 0
    assert changed("--model-deny-list", "a/*", "--plan", "teams") == {"plan": "teams", "model_deny_list": ["a/*"]}


@pytest.mark.parametrize(("text", "limit"), [("12.5", 12_500_000), ("$0.000001", 1), ("none", None), ("0", 0)])
def test_a_daily_limit_is_in_usd(acme, text: str, limit: int | None) -> None:
    changed = acme("orgs", "set-limit", "Acme", "ann@example.com", text, "--json").json
    assert changed["daily_limit_microdollars"] == limit
    assert acme("orgs", "show", "Acme", "--json").json["members"] == [changed]


def test_refusals_are_one_line_that_names_the_thing(acme) -> None:
    acme("orgs", "create", "Twin")
    acme("orgs", "create", "Twin")
    for words, line in (
        (["show", "Who"], "there is no organization 'Who'"),
        (["show", "Twin"], "2 organizations are named 'Twin': use the id"),
        (["create", " "], "name: must have 1 to 100 characters"),
        (["create", "X", "--plan", "gold"], "plan: must be one of teams, enterprise"),
        (["set", "Acme"], "name what is to be changed"),
        (["set", "Who", "--plan", "teams"], "there is no organization 'Who'"),
        (["set", "Acme", "--plan", "gold"], "plan: must be one of teams, enterprise"),
        (["set", "Acme", "--data-collection", "maybe"], "data_collection: must be one of allow, deny"),
        (
            ["set", "Acme", "--model-deny-list", "a/b,"],
            "model_deny_list: entry 2 must have 1 to 256 characters, without spaces",
        ),
        (["add-member", "Acme", "ann@example.com"], "'ann@example.com' is already a member of 'Acme'"),
        (["remove-member", "Acme", "bob@example.com"], "User is not a member of this organization"),
        (["remove-member", "Acme", "ann@example.com"], "An organization needs at least one owner"),
        (["set-limit", "Acme", "bob@example.com", "1"], "User is not a member of this organization"),
        (["set-limit", "Acme", "ann@example.com", "2001"], "limit: must be between 0 and 2000000000 micro-dollars"),
    ):
        ended = acme("orgs", *words)
        assert (ended.code, ended.out, ended.err) == (1, "", f"tollway: {line}\n")


def test_a_member_can_leave(acme) -> None:
    acme("orgs", "add-member", "Acme", "bob@example.com")
    ended = acme("orgs", "remove-member", "Acme", "bob@example.com")
    assert (ended.code, ended.out, ended.err) == (0, "", "")
    assert len(acme("orgs", "show", "Acme", "--json").json["members"]) == 1


@pytest.mark.parametrize("text", ["much", "0.0000001", "1e400", "nan", ""])
def test_a_limit_that_is_no_amount_is_wrong_usage(acme, text: str) -> None:
    assert acme("orgs", "set-limit", "Acme", "ann@example.com", text).code == 2
    assert acme("orgs", "add-member", "Acme", "ann@example.com", "--role", "king").code == 2


def test_who_is_told_and_what_is_topped_up_is_set(acme) -> None:
    alert = ("--minimum-balance", "12.50", "--minimum-balance-alert-email", "A@example.com,b@example.com")
    shown = acme("orgs", "set", "Acme", *alert, "--code-indexing", "--auto-top-up", "500", "--json").json
    assert (shown["minimum_balance_microdollars"], shown["code_indexing_enabled"]) == (12_500_000, True)
    assert shown["minimum_balance_alert_email"] == ["a@example.com", "b@example.com"]
    assert shown["auto_top_up"]["below_microdollars"] == 50_000_000
    assert "auto top up" in acme("orgs", "show", "Acme").out
    taken = ("--minimum-balance", "none", "--minimum-balance-alert-email", "none", "--no-code-indexing")
    bare = acme("orgs", "set", "Acme", *taken, "--auto-top-up", "off", "--json").json
    assert (bare["minimum_balance_microdollars"], bare["minimum_balance_alert_email"]) == (None, [])
    assert (bare["code_indexing_enabled"], bare["auto_top_up"]["disabled_reason"]) == (False, "turned off")
    told = [entry["message"] for entry in acme("orgs", "audit-log", "Acme", "--json").json]
    assert "Enabled auto top-up: 500000000 micro-dollars" in told
    refused = acme("orgs", "set", "Acme", "--minimum-balance", "5")
    assert "needs a positive amount and at least one address" in refused.err
    assert acme("orgs", "set", "Acme").err == "tollway: name what is to be changed\n"
    assert acme("orgs", "set", "Acme", "--auto-top-up", "0.5").code == 1
