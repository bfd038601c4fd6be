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
