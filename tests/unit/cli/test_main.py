import tomllib
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from tollway import __version__
from tollway.cli.main import COMMANDS, application, load


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_is_there_and_explains_itself(name: str) -> None:
    ended = CliRunner().invoke(application(), [name, "--help"])
    assert ended.exit_code == 0
    assert len(ended.output.splitlines()) > 3


@pytest.mark.parametrize("name", COMMANDS)
def test_the_list_says_what_the_command_says(name: str) -> None:
    """The list is shown without asking the command, so both could come to differ."""
    assert COMMANDS[name].summary == load(name).help.strip().partition("\n")[0]


@pytest.mark.parametrize("words", [["--help"], ["-h"], []], ids=" ".join)
def test_all_commands_are_listed(words: list[str]) -> None:
    ended = CliRunner().invoke(application(), words)
    assert ended.exit_code == (0 if words else 2)
    listed: Any = typer.main.get_command(application())
    assert listed.list_commands(None) == list(COMMANDS)
    assert all(name in ended.output for name in COMMANDS)


def test_the_version() -> None:
    packaged = tomllib.loads((Path(__file__).parents[3] / "pyproject.toml").read_text())["project"]["version"]
    assert packaged == __version__
    ended = CliRunner().invoke(application(), ["--version"])
    assert (ended.exit_code, ended.output) == (0, f"tollway {__version__}\n")


@pytest.mark.parametrize(
    ("typed", "meant"), [("runn", "'run'"), ("model", "'models'"), ("reconsile", "'reconcile'"), ("org", "'orgs'")]
)
def test_a_misspelt_command_is_refused_and_guessed(typed: str, meant: str) -> None:
    ended = CliRunner().invoke(application(), [typed])
    assert ended.exit_code == 2
    assert meant in ended.output


def test_an_unknown_command_is_refused() -> None:
    ended = CliRunner().invoke(application(), ["zzz"])
    assert (ended.exit_code, "Did you mean" in ended.output) == (2, False)
