from base64 import b64encode

OLD, NEW = (f"{name}:{b64encode(bytes([byte]) * 32).decode()}" for name, byte in (("old", 1), ("new", 2)))


def test_a_master_key_is_changed(acme) -> None:
    """Both are readable, the new one becomes active, secrets follow, the old one goes."""
    before, after, alone = ({"TOLLWAY_MASTER_KEYS": keys} for keys in (OLD, f"{NEW},{OLD}", NEW))
    owner = ("--user", "ann@example.com")
    assert acme("byok", "add", "openai", *owner, input="sk-fake", **before).code == 0
    old = {"key_id": "old", "secrets": 1, "is_here": True, "is_active": True, "was_active": True, "standing": "well"}
    assert acme("secrets", "list", "--json", **before).json == [old]
    assert acme("secrets", "retire", "old", **after).err == (
        "tollway: 1 secrets are sealed under old: wrap them anew first\n"
    )
    lost = acme("secrets", "rewrap", **alone)
    assert (lost.code, lost.err) == (1, "tollway: some secrets do not open with any key that is configured\n")
    assert acme("secrets", "rewrap", "--json", **after).json == {"rewrapped": 1, "failed": 0}
    assert "rewrapped  0" in acme("secrets", "rewrap", **after).out
    assert acme("secrets", "retire", "old", **after).out == (
        "Nothing needs old any more: take it out of the settings.\n"
    )
    listed = acme("secrets", "list", **alone)
    assert [line.split() for line in listed.out.splitlines()][1:] == [["new", "1", "yes", "yes", "yes", "well"]]


def test_each_step_of_a_change_is_told(acme) -> None:
    """Whoever runs the command again and again, and does what it says, ends with the new key alone."""
    owner = ("--user", "ann@example.com")
    assert acme("byok", "add", "openai", *owner, input="sk-fake", TOLLWAY_MASTER_KEYS=OLD).code == 0
    said = [
        acme("secrets", "rotate", TOLLWAY_MASTER_KEYS=keys).out.splitlines()
        for keys in (OLD, f"{OLD},{NEW}", f"{NEW},{OLD}", NEW)
    ]
    alone = (
        "To change it, put another behind it in master_keys, in every process: {0}:…,NEW_ID:…"
        " (a key is what `openssl rand -base64 32` prints). Then run this again."
    )
    assert said == [
        ["0 secrets were wrapped anew under old.", f"old is the only key. {alone.format('old')}"],
        [
            "0 secrets were wrapped anew under old.",
            "new was never the active one. Once every process has it, put it first, and run this again.",
        ],
        [
            "1 secrets were wrapped anew under new.",
            "Nothing needs old any more: take it out of master_keys, in every process.",
        ],
        ["0 secrets were wrapped anew under new.", f"new is the only key. {alone.format('new')}"],
    ]


def test_a_change_with_a_key_that_is_lost_says_so(acme) -> None:
    assert acme("byok", "add", "openai", "--org", "Acme", input="sk-fake", TOLLWAY_MASTER_KEYS=OLD).code == 0
    ended = acme("secrets", "rotate", TOLLWAY_MASTER_KEYS=NEW)
    assert ended.code == 1
    assert ended.out.splitlines()[1] == "old: secrets under it do not open; see `tollway secrets list`."
    given_up = acme("secrets", "abandon", "old", TOLLWAY_MASTER_KEYS=NEW)
    assert given_up.out == "old is given up. What is sealed under it stays, and opens if the key is found again.\n"
    assert acme("secrets", "list", "--json", TOLLWAY_MASTER_KEYS=NEW).json[1]["standing"] == "abandoned"
    assert acme("secrets", "abandon", "new", TOLLWAY_MASTER_KEYS=NEW).code == 1


def test_nothing_is_sealed_under_a_wrong_key(acme) -> None:
    """Nobody else could open it."""
    other = NEW.replace("new:", "old:")
    owner = ("--user", "ann@example.com")
    assert acme("byok", "add", "openai", *owner, input="sk-fake", TOLLWAY_MASTER_KEYS=OLD).code == 0
    line = "tollway: master_keys: old is another key than before, and 1 stored secret needs it\n"
    for words in (("byok", "replace", "openai", *owner), ("secrets", "rewrap"), ("secrets", "rotate")):
        assert acme(*words, input="sk-other", TOLLWAY_MASTER_KEYS=other).err == line
    assert acme("byok", "remove", "openai", *owner, TOLLWAY_MASTER_KEYS=other).code == 0
    assert acme("byok", "add", "openai", *owner, input="sk-fake", TOLLWAY_MASTER_KEYS=other).code == 0
