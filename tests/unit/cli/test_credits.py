def test_credits_are_granted_paid_listed_and_shown(acme) -> None:
    granted = acme("credits", "grant", "10", "--user", "ann@example.com", "--category", "promo", "--json").json
    assert set(granted) == {
        "id",
        "user_id",
        "organization_id",
        "amount_microdollars",
        "is_free",
        "description",
        "credit_category",
        "expiry_date",
        "created_at",
        "payment_id",
        "is_repeat",
        "balance",
    }
    assert (granted["amount_microdollars"], granted["is_free"]) == (10_000_000, True)
    paid = acme("credits", "pay", "$2.50", "--user", "ann@example.com", "--json").json
    assert paid["is_free"] is False
    balance = acme("credits", "balance", "--user", "ann@example.com", "--json").json
    assert balance == paid["balance"]
    assert balance.pop("account").startswith("user:")
    assert balance == {
        "credited_microdollars": 12_500_000,
        "spent_microdollars": 0,
        "held_microdollars": 0,
        "balance_microdollars": 12_500_000,
        "available_microdollars": 12_500_000,
    }
    listed = acme("credits", "list", "--user", "ann@example.com", "--json").json
    assert [credit["id"] for credit in listed] == [paid["id"], granted["id"]]


def test_without_json_amounts_are_in_usd_and_aligned(acme) -> None:
    assert "$10.000000" in acme("credits", "grant", "10", "--org", "Acme").out
    acme("credits", "grant", "1234.5", "--org", "Acme")
    header, *rows = acme("credits", "list", "--org", "Acme").out.splitlines()
    ends = {row.index("$") + len(row[row.index("$") :].split()[0]) for row in rows}
    assert ends == {header.index("amount") + len("amount")}
    assert "available  $1,244.500000" in acme("credits", "balance", "--org", "Acme").out
    assert acme("credits", "list", "--user", "ann@example.com").err == "There are no credits.\n"


def test_wrong_usage_is_two_and_a_refusal_one(acme) -> None:
    assert acme("credits", "grant", "much", "--user", "ann@example.com").code == 2
    assert acme("credits", "grant", "1").code == 2
    assert acme("credits", "balance").code == 2
    assert acme("credits", "list").code == 2
    for words, line in (
        (
            ["grant", "0", "--user", "ann@example.com"],
            "amount: must be between 1 and 9223372036854775807 micro-dollars",
        ),
        (["pay", "1", "--user", "who"], "there is no user 'who'"),
        (["balance", "--org", "Who"], "there is no organization 'Who'"),
        (["list", "--org", "Who"], "there is no organization 'Who'"),
    ):
        ended = acme("credits", *words)
        assert (ended.code, ended.out, ended.err) == (1, "", f"tollway: {line}\n")


def test_a_payment_is_booked_once(acme) -> None:
    words = ("credits", "pay", "20", "--user", "ann@example.com", "--payment-id", "pay_1")
    first, again = acme(*words, "--json").json, acme(*words, "--json").json
    assert (first["is_repeat"], again["is_repeat"], again["id"]) == (False, True, first["id"])
    assert again["balance"]["credited_microdollars"] == 20_000_000
    assert "booked before" in acme(*words).err
    other = acme("credits", "pay", "21", "--user", "ann@example.com", "--payment-id", "pay_1")
    assert other.err == "tollway: payment_id: another credit was booked with it\n"
    granted = ("credits", "grant", "1", "--org", "Acme", "--idempotency-key", "mine", "--json")
    assert acme(*granted).json["id"] == acme(*granted).json["id"]


def test_a_grant_may_expire_and_be_given_once(acme) -> None:
    words = ("credits", "grant", "5", "--user", "ann@example.com")
    assert acme(*words, "--expires", "2099-01-01", "--json").json["expiry_date"] == "2099-01-01T00:00:00Z"
    assert acme(*words, "--expires", "2000-01-01").err == "tollway: expires_at: must be in the future\n"
    once = (*words, "--category", "welcome", "--once-per-category")
    assert acme(*once).code == 0
    assert acme(*once).err == "tollway: category: the user has had a credit of it\n"
    for more in (("--once-per-category",), ("--org", "Acme", "--category", "x", "--once-per-category")):
        assert "once_per_category: needs a category" in acme(*words, *more).err
