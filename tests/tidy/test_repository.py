"""What lies in the repository besides code: locks without addresses, no loose ends, targets that explain themselves."""

import os
import re

import pytest

from tidy.source import ROOT, report, repository_files, repository_texts

LOCKS = sorted((ROOT / "requirements").glob("*.lock"))

# Written in two parts, so that this file does not find itself.
LOOSE_ENDS = re.compile(r"\b(?:TO" r"DO|FIX" r"ME|X" r"XX)\b")
LEFT_OUT = re.compile(
    r"\b(?:pytest\.(?:sk" r"ip|xf" r"ail|import" r"orskip)|mark\.(?:sk" r"ip|sk" r"ipif|xf" r"ail))\b"
)
INDEXES = re.compile(r"(?:py" r"pi\.org|python" r"hosted\.org|--(?:extra-)?index" r"-url[ =]|--find" r"-links[ =])")


@pytest.mark.parametrize("lock", LOCKS, ids=lambda lock: lock.name)
def test_every_locked_package_has_hashes(lock) -> None:
    pinned = re.split(r"(?m)^(?=\w)", lock.read_text())[1:]
    assert pinned
    report(
        f"requirements/{lock.name}: these have no hash; run `make lock`.",
        (entry.partition(" ")[0] for entry in pinned if "--hash=sha256:" not in entry or "==" not in entry),
    )


@pytest.mark.parametrize("lock", LOCKS, ids=lambda lock: lock.name)
def test_locks_name_no_address(lock) -> None:
    found = [line for line in lock.read_text().splitlines() if re.search(r"\w+://|^--", line)]
    report(
        f"requirements/{lock.name} names where packages come from; that is each machine's own business. "
        "Run `make lock`.",
        found,
    )


def test_nothing_names_a_package_index() -> None:
    found = [f"{path}:{number}" for path, number in _matches(INDEXES) if not path.endswith("requirements/as_pip.py")]
    report("Where packages come from is each machine's own setting; name no index here.", found)


def test_no_loose_ends() -> None:
    report(
        "Finish it, or open an issue; the code keeps no notes to self.", (f"{p}:{n}" for p, n in _matches(LOOSE_ENDS))
    )


def test_no_test_is_left_out() -> None:
    found = [f"{path}:{number}" for path, number in _matches(LEFT_OUT) if path.endswith(".py")]
    report("A test that does not run proves nothing: make it pass or remove it.", found)


def test_nothing_is_kept_that_should_not_be() -> None:
    """Keys, databases, logs, what programs leave behind."""
    kept = re.compile(r"\.(?:pyc|pem|key|db|sqlite3?|log|env|orig|rej|swp)$|(?:^|/)\.env")
    found = (path.relative_to(ROOT).as_posix() for path in repository_files())
    report(
        "Remove these from the repository, or name them in .gitignore.", (name for name in found if kept.search(name))
    )


def test_make_explains_every_target() -> None:
    makefile = (ROOT / "Makefile").read_text()
    targets = set(" ".join(re.findall(r"(?m)^\.PHONY: (.*)$", makefile)).split())
    explained = set(re.findall(r"(?m)^([\w-]+):.*## \S", makefile))
    report("Put `## what it does` behind the target in the Makefile.", targets - explained)


def test_ci_runs_what_make_check_runs() -> None:
    script = ROOT / ".ci" / "run"
    assert "make check" in script.read_text()
    assert os.access(script, os.X_OK), "chmod +x .ci/run"


def _matches(pattern: re.Pattern[str]) -> list[tuple[str, int]]:
    """(path, line number) of every line in the repository where `pattern` is found."""
    return [
        (path, number)
        for path, text in repository_texts()
        if pattern.search(text)
        for number, line in enumerate(text.splitlines(), 1)
        if pattern.search(line)
    ]
