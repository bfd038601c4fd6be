def test_a_user_is_created_shown_and_listed(run) -> None:
    created = run("users", "create", "Ann@Example.com", "--name", "Ann", "--json").json
    assert set(created) == {"id", "email", "name", "blocked_reason", "created_at", "is_admin", "is_bot"}
    assert created["email"] == "ann@example.com"
    assert created["created_at"].endswith("Z")
    for name in (created["id"], "ann@example.com"):
        assert run("users", "show", name, "--json").json == {**created, "auto_top_up": None}
    assert run("users", "list", "--json").json == [created]


def test_without_json_it_is_plain_aligned_text(run) -> None:
    run("users", "create", "ann@example.com", "--name", "[red]Ann")
    lines = run("users", "list").out.splitlines()
    assert lines[0].split() == ["id", "email", "name", "is", "admin", "is", "bot", "blocked", "reason", "created", "at"]
    assert "[red]Ann" in lines[1]
    assert lines[1].index("ann@example.com") == lines[0].index("email")
    assert not any(line.endswith(" ") or "\x1b" in line for line in lines)
    assert "name            [red]Ann" in run("users", "show", "ann@example.com").out


def test_a_service_account_is_made_as_one_and_shown(run) -> None:
    made = run("users", "create", "ci@example.com", "--service-account", "--json").json
    person = run("users", "create", "ann@example.com", "--json").json
    assert (made["is_bot"], person["is_bot"]) == (True, False)
    assert {user["email"]: user["is_bot"] for user in run("users", "list", "--json").json} == {
        "ci@example.com": True,
        "ann@example.com": False,
    }


def test_listings_come_in_pages(run) -> None:
    for number in range(3):
        run("users", "create", f"u{number}@example.com")
    first = run("users", "list", "--limit", "2", "--json").json
    rest = run("users", "list", "--before", first[-1]["id"], "--json").json
    assert [user["email"] for user in first + rest] == ["u2@example.com", "u1@example.com", "u0@example.com"]
    assert run("users", "list", "--limit", "201").err == "tollway: limit: must be between 1 and 200\n"


def test_nobody_is_nothing_on_stdout(run) -> None:
    ended = run("users", "list")
    assert (ended.code, ended.out, ended.err) == (0, "", "There are no users.\n")
    assert run("users", "list", "--json").json == []


def test_refusals_are_one_line_that_names_the_thing(run) -> None:
    run("users", "create", "ann@example.com")
    for words, line in (
        (["create", "ann@example.com"], "tollway: there is a user 'ann@example.com' already\n"),
        (["create", "nonsense"], "tollway: email: is not an e-mail address\n"),
        (["show", "bob"], "tollway: there is no user 'bob'\n"),
        (["block", "bob"], "tollway: there is no user 'bob'\n"),
    ):
        ended = run("users", *words)
        assert (ended.code, ended.out, ended.err) == (1, "", line)


def test_blocking_and_unblocking(run) -> None:
    run("users", "create", "ann@example.com")
    assert run("users", "block", "ann@example.com", "--reason", "fraud", "--json").json["blocked_reason"] == "fraud"
    assert "fraud" in run("users", "show", "ann@example.com").out
    assert run("users", "unblock", "ann@example.com", "--json").json["blocked_reason"] is None


def test_wrong_usage_is_two(run) -> None:
    assert run("users", "create").code == 2
    assert run("users", "invent").code == 2
    assert run("users", "list", "--limit", "many").code == 2


def test_a_deleted_user_is_a_pseudonym(run) -> None:
    id_ = run("users", "create", "ann@example.com", "--name", "Ann", "--json").json["id"]
    deleted = run("users", "delete", "ann@example.com", "--json").json
    assert (deleted["id"], deleted["email"]) == (id_, f"deleted+{id_}@deleted.invalid")
    assert run("users", "delete", id_, "--json").json == deleted
    assert run("users", "delete", "ann@example.com").err == "tollway: there is no user 'ann@example.com'\n"


def test_the_only_owner_stays(acme) -> None:
    assert acme("users", "delete", "ann@example.com").err == "tollway: An organization needs at least one owner\n"


def test_administrators_are_made_and_unmade_here(run) -> None:
    run("users", "create", "ann@example.com")
    assert run("users", "admin", "ann@example.com", "--on", "--json").json["is_admin"] is True
    assert run("users", "show", "ann@example.com", "--json").json["is_admin"] is True
    assert run("users", "admin", "ann@example.com", "--off", "--json").json["is_admin"] is False
    assert run("users", "admin", "ann@example.com").code == 2


def test_a_user_is_renamed_and_topped_up(acme) -> None:
    """What is not named stays; what is refused changes nothing."""
    changed = acme("users", "set", "ann@example.com", "--email", "Anna@example.com", "--auto-top-up", "50", "--json")
    assert (changed.json["email"], changed.json["name"]) == ("anna@example.com", "Ann")
    wanted = changed.json["auto_top_up"]
    assert (wanted["is_enabled"], wanted["amount_microdollars"], wanted["below_microdollars"]) == (
        True,
        50_000_000,
        5_000_000,
    )
    off = ("--auto-top-up", "off", "--auto-top-up-reason", "card declined")
    assert "off: card declined" in acme("users", "set", "anna@example.com", *off).out
    again = acme("users", "set", "anna@example.com", "--auto-top-up", "on", "--name", "A", "--json").json
    assert (again["name"], again["auto_top_up"]) == ("A", wanted)
    assert acme("users", "show", "anna@example.com", "--json").json == again
    for words, line in (
        ((), "name what is to be changed"),
        (("--email", "bob@example.com"), "there is a user 'bob@example.com' already"),
        (("--email", "nonsense"), "email: is not an e-mail address"),
        (("--auto-top-up", "0"), "amount: must be between 1000000 and 100000000000 micro-dollars"),
        (("--auto-top-up", "10", "--auto-top-up-reason", "x"), "reason: is for turning it off"),
    ):
        assert acme("users", "set", "anna@example.com", *words).err == f"tollway: {line}\n"
    for words in (("--auto-top-up", "much"), ("--auto-top-up-reason", "x")):
        assert acme("users", "set", "anna@example.com", *words).code == 2
    assert acme("users", "set", "bob@example.com", "--auto-top-up", "on").code == 1
    assert acme("users", "show", "anna@example.com", "--json").json == again
