from datetime import UTC, datetime

KILO = {"TOLLWAY_PRESET": "kilo"}


def test_a_subscription_from_its_start_to_its_end(acme) -> None:
    def ask(*words: str) -> dict:
        return acme("subscriptions", *words, "--json", **KILO).json

    started = ask("start", "ann@example.com", "tier_19", "--external-id", "sub_1", "--streak-months", "2")
    assert (started["status"], started["cadence"], started["streak_months"]) == ("incomplete", "monthly", 2)
    paid = ask("pay", "sub_1", "in_1")
    assert (paid["amount_microdollars"], paid["is_repeat"]) == (19_000_000, False)
    assert ask("pay", started["id"], "in_1")["is_repeat"] is True
    assert ask("set", "sub_1", "--status", "past_due", "--tier", "tier_49")["status"] == "past_due"
    assert ask("cancel", "sub_1")["is_cancelling"] is True
    assert ask("resume", "sub_1")["is_cancelling"] is False
    ended = ask("end", "sub_1")
    assert ended["status"] == "canceled"
    shown = ask("show", "sub_1")
    assert [month["payment_id"] for month in shown["months"]] == ["in_1"]
    assert len(shown["events"]) == 6
    assert ask("list", "--user", "ann@example.com") == ask("list") == [ended]
    assert acme("ledger", "verify").code == 0


def test_a_yearly_one_that_began_earlier(acme) -> None:
    begun = datetime.now(UTC).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    words = ("subscriptions", "start", "ann@example.com", "tier_49", "--external-id", "y", "--yearly", "--json")
    started = acme(*words, "--started-at", begun.isoformat(), **KILO).json
    assert started["cadence"] == "yearly"
    paid = acme("subscriptions", "pay", "y", "in_1", "--paid-at", begun.isoformat(), "--json", **KILO).json
    assert paid["month"] == begun.date().isoformat()
    assert paid["subscription"]["paid_until"] == begun.replace(year=begun.year + 1).isoformat().replace("+00:00", "Z")


def test_without_json_it_is_plain_text(acme) -> None:
    assert acme("subscriptions", "list").err == "There are no subscriptions.\n"
    assert "sub_1" in acme("subscriptions", "start", "ann@example.com", "tier_19", "--external-id", "sub_1", **KILO).out
    assert "Nothing was paid." in acme("subscriptions", "show", "sub_1").err
    assert "$19.000000" in acme("subscriptions", "pay", "sub_1", "in_1", "--month", month(), **KILO).out
    assert "tier_19" in acme("subscriptions", "list").out
    assert "base_credits_issued" in acme("subscriptions", "show", "sub_1").out


def month() -> str:
    return datetime.now(UTC).strftime("%Y-%m")


def test_refusals_are_one_line(acme) -> None:
    start = ("start", "ann@example.com", "tier_19", "--external-id", "sub_1")
    for words, line in (
        (start, "tier: there are none: the preset's [subscriptions] names them"),
        (("show", "who"), "there is no subscription 'who'"),
    ):
        assert acme("subscriptions", *words).err == f"tollway: {line}\n"
    assert acme("subscriptions", *start, **KILO).code == 0
    assert acme("subscriptions", "pay", "sub_1", "in_1", "--month", "soon", **KILO).code == 2
    assert "there is a subscription with it already" in acme("subscriptions", *start, **KILO).err
    assert "preset" in acme("subscriptions", "end", "sub_1", TOLLWAY_PRESET="none.toml").err
