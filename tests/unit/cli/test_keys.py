from pathlib import Path

from tollway.identity.keys import is_well_formed


def test_a_key_is_printed_once(acme, tmp_path: Path) -> None:
    created = acme("keys", "create", "--user", "ann@example.com", "--org", "Acme", "--limit", "3", "--json").json
    key = created.pop("key")
    assert is_well_formed(key)
    assert set(created) == {
        "id",
        "user_id",
        "organization_id",
        "label",
        "last_four",
        "limit_microdollars",
        "spent_microdollars",
        "expires_at",
        "revoked_at",
        "created_at",
        "model_allow_list",
        "last_used_at",
        "prefix",
    }
    assert (created["prefix"], created["model_allow_list"], created["last_used_at"]) == (key[:8], [], None)
    assert (created["limit_microdollars"], created["last_four"]) == (3_000_000, key[-4:])
    assert acme("keys", "list", "--json").json == [created]
    assert not any(key.encode() in path.read_bytes() for path in tmp_path.iterdir() if path.is_file())


def test_without_json_it_says_that_it_is_shown_once(acme) -> None:
    ended = acme("keys", "create", "--user", "ann@example.com", "--label", "laptop")
    assert ended.out.startswith("key               tw_live_")
    assert ended.err == "Keep the key now: it is not shown again.\n"
    header, row = acme("keys", "list").out.splitlines()
    assert "laptop" in row
    assert row.index("unlimited") + len("unlimited") == header.index("limit") + len("limit")  # aligned to the right


def test_expiry_is_a_date_or_days(acme) -> None:
    dated = acme("keys", "create", "--user", "ann@example.com", "--expires", "2999-01-31", "--json").json
    assert dated["expires_at"] == "2999-01-31T00:00:00Z"
    zoned = acme("keys", "create", "--user", "ann@example.com", "--expires", "2999-01-31T01:00:00+02:00", "--json").json
    assert zoned["expires_at"] == "2999-01-30T23:00:00Z"
    assert acme("keys", "create", "--user", "ann@example.com", "--expires", "30d", "--json").json["expires_at"]
    assert acme("keys", "create", "--user", "ann@example.com", "--expires", "soon").code == 2
    past = acme("keys", "create", "--user", "ann@example.com", "--expires", "2001-01-01")
    assert (past.code, past.err) == (1, "tollway: expires: must be in the future\n")


def test_a_key_for_some_models(acme) -> None:
    words = ("keys", "create", "--user", "ann@example.com", "--json", "--models")
    key = acme(*words, "A/b, vendor/*").json
    assert key["model_allow_list"] == ["a/b", "vendor/*"]
    assert "a/b, vendor/*" in acme("keys", "list").out
    assert acme("keys", "set", key["id"], "--label", "x", "--json").json["model_allow_list"] == ["a/b", "vendor/*"]
    assert acme("keys", "set", key["id"], "--models", "none", "--json").json["model_allow_list"] == []
    assert acme("keys", "show", key["id"], "--json").json["model_allow_list"] == []
    assert acme("keys", "show", "who").err == "tollway: API key not found\n"
    for ended in (acme(*words, "*"), acme("keys", "set", key["id"], "--models", "a/b*")):
        assert (ended.code, ended.err.startswith("tollway: model_allow_list: entry 1 has a wildcard")) == (1, True)


def test_listing_by_owner(acme) -> None:
    acme("keys", "create", "--user", "bob@example.com")
    assert len(acme("keys", "list", "--user", "bob@example.com", "--json").json) == 1
    assert acme("keys", "list", "--org", "Acme", "--json").json == []
    assert acme("keys", "list", "--org", "Acme").err == "There are no keys.\n"
    assert acme("keys", "list", "--user", "who").code == 1


def test_revoking(acme) -> None:
    created = acme("keys", "create", "--user", "bob@example.com", "--json").json
    assert acme("keys", "revoke", created["id"], "--json").json["revoked_at"] is not None
    assert "revoked at" in acme("keys", "revoke", created["id"]).out
    assert acme("keys", "revoke", "who").err == "tollway: there is no key 'who'\n"


def test_a_stranger_gets_no_key_of_the_organization(acme) -> None:
    ended = acme("keys", "create", "--user", "bob@example.com", "--org", "Acme")
    assert (ended.code, ended.err) == (1, "tollway: 'bob@example.com' is not a member of 'Acme'\n")
