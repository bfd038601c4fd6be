from base64 import b64encode

OLD, NEW = (f"{name}:{b64encode(bytes([byte]) * 32).decode()}" for name, byte in (("old", 1), ("new", 2)))


def test_a_master_key_is_changed(acme) -> None:
    """Both are readable, the new one becomes active, secrets follow, the old one goes."""
    before, after, alone = ({"TOLLWAY_MASTER_KEYS": keys} for keys in (OLD, f"{NEW},{OLD}", NEW))
    owner = ("--user", "ann@example.com")
    assert acme("byok", "add", "openai", *owner, input="sk-fake", **before).code == 0
    old = {"key_id": "old", "secrets": 1, "is_here": True, "is_active": True}
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
    assert [line.split() for line in listed.out.splitlines()][1:] == [["new", "1", "yes", "yes"]]
