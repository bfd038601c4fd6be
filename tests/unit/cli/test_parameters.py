from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import pytest
import typer

from tollway.cli.main import COMMANDS, load
from tollway.cli.parameters import PlainReader, read_plainly


class Colour(StrEnum):
    RED = "red"
    GREEN = "green"


def _doubled(text: str) -> int:
    if text == "odd":
        raise ValueError("odd is not a number")
    return int(text) * 2


def _given(
    words: Annotated[list[str] | None, typer.Argument()] = None,
    text: Annotated[str, typer.Option()] = "",
    maybe: Annotated[str | None, typer.Option()] = None,
    number: Annotated[int, typer.Option()] = 3,
    colour: Annotated[Colour, typer.Option()] = Colour.RED,
    colours: Annotated[list[Colour] | None, typer.Option()] = None,
    path: Annotated[Path | None, typer.Option()] = None,
    twice: Annotated[int | None, typer.Option(parser=_doubled)] = None,
    flag: Annotated[bool | None, typer.Option("--flag/--no-flag")] = None,
) -> tuple[Any, ...]:
    return words, text, maybe, number, colour, colours, path, twice, flag


def _command() -> Any:
    alone = typer.Typer(add_completion=False)
    alone.command()(_given)
    return typer.main.get_command(alone)


def _plain_command() -> Any:
    command = _command()
    read_plainly(command)
    return command


@pytest.mark.parametrize(
    "words",
    [
        "",
        "a b c",
        "--text x --maybe y --number 7 --path some/where",
        "--number -1 --colour green --no-flag",
        "--colours red --colours green a --twice 21 --flag",
    ],
)
def test_they_are_read_as_typer_reads_them(words: str) -> None:
    plain = _plain_command().main(words.split(), standalone_mode=False)
    assert plain == _command().main(words.split(), standalone_mode=False)
    assert [type(one) for one in plain] == [type(one) for one in _command().main(words.split(), standalone_mode=False)]


@pytest.mark.parametrize(
    ("words", "why"),
    [
        ("--number x", "'x' is not a whole number"),
        ("--colour blue", "'blue' is not one of 'red', 'green'."),
        ("--colours red --colours blue", "'blue' is not one of 'red', 'green'."),
        ("--twice odd", "odd is not a number"),
    ],
)
def test_what_cannot_be_read_is_wrong_usage(words: str, why: str) -> None:
    with pytest.raises(typer.BadParameter) as refused:
        _plain_command().main(words.split(), standalone_mode=False)
    assert (refused.value.message, refused.value.exit_code) == (why, 2)
    with pytest.raises(typer.BadParameter):
        _command().main(words.split(), standalone_mode=False)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_parameter_of_ours_is_read_plainly(name: str) -> None:
    """One that is not would load pydantic for every call of the command."""
    assert [one for one in _parameters(load(name)) if not isinstance(one._runtime_param, PlainReader)] == []


def _parameters(command: Any) -> list[Any]:
    return command.params + [one for inner in getattr(command, "commands", {}).values() for one in _parameters(inner)]
