from importlib import import_module

import pytest
import typer
from typer.testing import CliRunner

from tollway.cli.main import COMMANDS, build


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_is_there_and_explains_itself(name: str) -> None:
    module, attribute, _ = COMMANDS[name]
    assert getattr(import_module(module), attribute)
    ended = CliRunner().invoke(build([name, "migrate" if name != "migrate" else "users"]), [name, "--help"])
    assert ended.exit_code == 0
    assert len(ended.output.splitlines()) > 3


def test_all_commands_are_listed() -> None:
    ended = CliRunner().invoke(build(list(COMMANDS)), ["--help"])
    assert ended.exit_code == 0
    assert all(name in ended.output for name in COMMANDS)
    assert isinstance(build(list(COMMANDS)), typer.Typer)


def test_an_unknown_command_is_refused() -> None:
    assert CliRunner().invoke(build(list(COMMANDS)), ["nonsense"]).exit_code == 2
