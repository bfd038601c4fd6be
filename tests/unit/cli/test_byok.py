import json
import sqlite3
from pathlib import Path

import pytest

CANARY = "sk-canary-0123456789-WXYZ"
FIELDS = {
    "id",
    "provider_id",
    "last_four",
    "is_enabled",
    "created_at",
    "updated_at",
    "created_by",
    "owner_kind",
    "owner_id",
}


@pytest.fixture
def file(tmp_path: Path) -> str:
    path = tmp_path / "key.txt"
    path.write_text(f"{CANARY}\n")
    return str(path)


def test_a_key_goes_in_and_never_comes_out(acme, file: str, tmp_path: Path) -> None:
    added = acme("byok", "add", "anthropic", "--org", "Acme", "--key-file", file, "--json").json
    assert set(added) == FIELDS
    assert (added["last_four"], added["owner_kind"], added["created_by"]) == ("WXYZ", "organization", "operator")
    assert acme("byok", "list", "--org", "Acme", "--json").json == [added]
    assert acme("byok", "list", "--user", "ann@example.com").err == "There are no keys.\n"
    told = acme("byok", "list", "--org", "Acme").out
    assert "anthropic" in told
    assert CANARY not in told + json.dumps(added)
    kept = [path for path in tmp_path.iterdir() if path.is_file() and path.name != "key.txt"]
    assert not any(CANARY.encode() in path.read_bytes() for path in kept)


def test_a_key_is_read_from_stdin(acme) -> None:
    added = acme("byok", "add", "openai", "--user", "ann@example.com", "--json", input=f"{CANARY}\n").json
    assert added["last_four"] == "WXYZ"
    other = CANARY.replace("WXYZ", "4567")
    replaced = acme("byok", "replace", "openai", "--user", "ann@example.com", "--json", input=other).json
    assert (replaced["id"], replaced["last_four"]) == (added["id"], "4567")


def test_off_on_and_gone(acme, file: str) -> None:
    ann = ("--user", "ann@example.com")
    key = acme("byok", "add", "anthropic", *ann, "--key-file", file, "--json").json["id"]
    assert acme("byok", "disable", key, *ann, "--json").json["is_enabled"] is False
    assert "is enabled   yes" in acme("byok", "enable", "anthropic", *ann).out
    assert acme("byok", "remove", "anthropic", *ann).code == 0
    assert acme("byok", "remove", "anthropic", *ann).err == "tollway: BYOK key not found\n"


def test_refusals(acme, file: str, tmp_path: Path) -> None:
    ann = ("--user", "ann@example.com", "--key-file", file)
    acme("byok", "add", "anthropic", *ann)
    (tmp_path / "binary").write_bytes(b"\xff\xfe")
    for words, line in (
        (("add", "anthropic", *ann), "A key for this provider already exists"),
        (("add", "bedrock", *ann), "key: the key for bedrock is not an object of AWS credentials"),
        (("add", "who", *ann), "provider: must be one of anthropic, bedrock,"),
        (("add", "openai", "--key-file", file), "name a user or an organization"),
        (("add", "openai", "--user", "bob", "--key-file", file), "there is no user 'bob'"),
        (("add", "openai", "--user", "ann@example.com", "--key-file", f"{file}x"), f"{file}x: No such file"),
        (
            ("add", "openai", "--user", "ann@example.com", "--key-file", str(tmp_path / "binary")),
            f"{tmp_path}/binary: is",
        ),
    ):
        ended = acme("byok", *words)
        assert ended.code == 1
        assert ended.err.startswith(f"tollway: {line}")
        assert CANARY not in ended.err + ended.out


def test_endpoints_are_taken_over(acme, tmp_path: Path) -> None:
    path = tmp_path / "endpoints.json"
    path.write_text('{"a/b": {"endpoints": [{"tag": "openai"}]}}')
    assert acme("byok", "endpoints", str(path), "--json").json == {"models": 1}
    assert acme("byok", "endpoints", str(path)).out == "models  1\n"
    with sqlite3.connect(tmp_path / "tollway.db") as connection:
        assert connection.execute("SELECT * FROM model_endpoints").fetchall() == [("a/b", '["openai"]')]
    path.write_text("[]")
    assert acme("byok", "endpoints", str(path)).err.startswith(f"tollway: {path}: ")
    assert acme("byok", "endpoints", "none.json").err == "tollway: none.json: No such file or directory\n"


def test_a_key_is_not_tried_where_nobody_takes_it(acme, file: str) -> None:
    ann = ("--user", "ann@example.com")
    acme("byok", "add", "anthropic", *ann, "--key-file", file)
    refused = acme("byok", "test", "anthropic", *ann)
    assert (refused.code, refused.err) == (1, "tollway: no provider that takes own keys is configured\n")
    for words in (("test", "openai"), ("models", "openai")):
        assert acme("byok", *words, *ann).err == "tollway: BYOK key not found\n"


def test_the_models_that_a_key_can_serve(acme, file: str, tmp_path: Path) -> None:
    ann = ("--user", "ann@example.com")
    acme("byok", "add", "anthropic", *ann, "--key-file", file)
    (tmp_path / "tollway.toml").write_text(
        '[providers.openrouter]\napi_key = "sk-fake"\n'
        + "".join(
            f'[[models]]\nid = "{vendor}/one"\nprovider = "openrouter"\nprompt_usd_per_million = "1"\n'
            'completion_usd_per_million = "1"\ncontext_length = 1000\n'
            for vendor in ("anthropic", "openai")
        )
    )
    assert acme("byok", "models", "anthropic", *ann, "--json").json == {"models": ["anthropic/one"]}
    assert acme("byok", "models", "anthropic", *ann).out == "anthropic/one\n"
