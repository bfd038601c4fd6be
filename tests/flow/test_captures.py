"""The captures of docs/guides/run.md are what the commands say today, run in their order on one machine.

Source: catalog-and-clients C.10: every claim of a page is executable.
"""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from flow.machine import Machine
from flow.programs import Sim
from tidy.markdown import blocks
from tidy.source import ROOT

PAGE = ROOT / "docs/guides/run.md"
HOME = "/home/ann"
OTHERS = ("openai/",)  # needs files and a provider that nobody has here
NOTES = "stand-in notes: the toll is two coins\n"
TYPED = {"Key of FastRouter: ": "sk-fake-key\n", "Model (number, or part of a name): ": "echo\n"}
SESSION = re.compile(r"ses_[0-9a-f]{32}")


def captures() -> Iterator[tuple[str, list[str]]]:
    """Each command and what the page shows of it: lines without the blank ones, of which a page has its own."""
    for block in blocks(PAGE):
        if block.language == "console":
            for capture in re.split(r"(?m)^\$ ", block.text)[1:]:
                command, _, shown = capture.partition("\n")
                if not any(one in command for one in OTHERS):
                    yield command, [line.rstrip() for line in shown.splitlines() if line.strip()]


@pytest.fixture
def machine(tmp_path: Path, sim: Sim) -> Machine:
    return Machine(tmp_path, {}, {"provider": {"fastrouter": {"options": {"baseURL": f"{sim.url}/api/v1"}}}})


def test_every_capture_is_what_is_said_today(machine: Machine) -> None:
    (machine.home / "stand-in").write_text(NOTES)
    wrong = []
    for command, shown in captures():
        terminal = machine.terminal(line=command, COLUMNS="100")
        terminal.converse(TYPED)
        said = [line.rstrip() for line in _general(terminal.shown, machine).splitlines() if line.strip()]
        if not _alike(shown, said):
            wrong.append("\n".join([f"$ {command}", *said]))
    assert not wrong, "docs/guides/run.md shows something else:\n" + "\n\n".join(wrong)


def _general(text: str, machine: Machine) -> str:
    return SESSION.sub("ses_…", text.replace(str(machine.home), HOME))


def _alike(shown: list[str], said: list[str]) -> bool:
    """`…` alone on a line stands for any number of them."""
    pattern = "".join(
        r"(?:.*\n)*" if line.strip() == "…" else re.escape(SESSION.sub("ses_…", line)) + r"\n" for line in shown
    )
    return re.fullmatch(pattern, "".join(f"{line}\n" for line in said)) is not None
