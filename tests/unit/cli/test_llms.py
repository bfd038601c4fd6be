import json
import sys
from pathlib import Path

import pytest

CANARY = "sk-canary-0123456789-WXYZ"
ADD = ("llms", "add", "acme/claude", "--vendor", "anthropic", "--url", "https://a.example/v1/", "--model", "claude-x")


@pytest.fixture
def file(tmp_path: Path) -> str:
    path = tmp_path / "key.txt"
    path.write_text(f"{CANARY}\n")
    return str(path)


def test_a_model_is_added_changed_given_and_removed(acme, file: str, tmp_path: Path) -> None:
    added = acme(*ADD, "--verbosity", "high", "--key-file", file, "--json").json
    assert (added["public_id"], added["vendor"], added["base_url"]) == (
        "acme/claude",
        "anthropic",
        "https://a.example/v1",
    )
    assert (added["internal_id"], added["display_name"], added["last_four"]) == ("claude-x", "acme/claude", "WXYZ")
    assert (added["verbosity"], added["organizations"], added["force_reasoning"]) == ("high", [], False)
    given = acme("llms", "assign", "acme/claude", "Acme", "--json").json
    assert len(given["organizations"]) == 1
    changed = acme(
        "llms", "set", "acme/claude", "--verbosity", "none", "--included-tools", "a,b", "--reasoning", "--json"
    ).json
    assert (changed["verbosity"], changed["included_tools"], changed["force_reasoning"]) == (None, ["a", "b"], True)
    assert (changed["organizations"], changed["last_four"]) == (given["organizations"], "WXYZ")
    assert acme("llms", "list", "--json").json == [changed]
    told = acme("llms", "list").out
    assert "claude-x" in told
    assert CANARY not in told + json.dumps(changed)
    assert acme("llms", "unassign", "acme/claude", "Acme", "--json").json["organizations"] == []
    assert acme("llms", "remove", "acme/claude").code == 0
    assert acme("llms", "list").err == "There are no custom LLMs.\n"
    kept = [path for path in tmp_path.iterdir() if path.is_file() and path.name != "key.txt"]
    assert not any(CANARY.encode() in path.read_bytes() for path in kept)


def test_another_key_is_read_from_stdin(acme, file: str) -> None:
    acme(*ADD, "--key-file", file)
    other = CANARY.replace("WXYZ", "4567")
    assert acme("llms", "set", "acme/claude", "--new-key", "--json", input=f"{other}\n").json["last_four"] == "4567"
    kept = acme("llms", "set", "acme/claude", "--name", "Claude", "--json").json
    assert (kept["display_name"], kept["last_four"]) == ("Claude", "4567")


def test_no_command_takes_a_key_as_an_argument(acme, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.stdin, "isatty", lambda: False, raising=False)
    for words in ((*ADD, "--key", CANARY), ("llms", "set", "acme/claude", "--key", CANARY)):
        assert acme(*words).code == 2


def test_refusals(acme, file: str) -> None:
    key = ("--key-file", file)
    acme(*ADD, *key)
    for words, line in (
        ((*ADD, *key), "there is acme/claude already"),
        ((*ADD[:-1], "", *key), "internal_id: must have 1 to"),
        (("llms", "set", "acme/claude", "--vendor", "who"), "vendor: must be one of anthropic, openai"),
        (("llms", "set", "acme/claude", "--url", "ftp://x"), "base_url: must be http(s)"),
        (("llms", "assign", "acme/claude", "Nobody"), "there is no organization 'Nobody'"),
        (("llms", "remove", "acme/gpt"), "Custom LLM not found"),
    ):
        ended = acme(*words)
        assert ended.code == 1
        assert ended.err.startswith(f"tollway: {line}"), ended.err
        assert CANARY not in ended.err + ended.out
