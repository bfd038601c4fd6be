"""Asks a person for a provider on the terminal."""

import sys
from collections.abc import Mapping, Sequence
from functools import partial

import typer

from tollway.cli.client_session import give_up
from tollway.client.gateways import Gateway
from tollway.client.picker import OTHER, picked, picker_lines, read_other_id


def pick_provider(gateways: Mapping[str, Gateway]) -> Gateway | str:
    """A gateway, or the id of something that is not known here."""
    _need_terminal("name a provider: -p ID")
    for line in picker_lines(gateways):
        typer.echo(line)
    found: Gateway | str = typer.prompt(
        "Provider (number, id or part of a name)", value_proc=partial(_read_provider, gateways)
    )
    if isinstance(found, Gateway):
        return found
    other: str = typer.prompt("Id of the provider", value_proc=_read_other)
    return other


def pick_one(what: str, names: Sequence[str]) -> int:
    """The place of one of these, counted from 0."""
    _need_terminal(f"name the {what}")
    for number, name in enumerate(names, 1):
        typer.echo(f"  {number:>2}  {name}")
    chosen: int = typer.prompt(f"{what.capitalize()} (number)", value_proc=partial(_read_number, len(names)))
    return chosen - 1


def _need_terminal(instead: str) -> None:
    if not sys.stdin.isatty():
        give_up(f"there is no terminal to choose on; {instead}")


def _read_provider(gateways: Mapping[str, Gateway], text: str) -> Gateway | str:
    found = picked(gateways, text)
    if found is None:
        raise typer.BadParameter(f"nothing, or more than one, is called {text.strip()!r}; {OTHER!r} asks for an id")
    return found


def _read_other(text: str) -> str:
    found = read_other_id(text)
    if found is None:
        raise typer.BadParameter("an id is made of small letters, digits and hyphens")
    return found


def _read_number(highest: int, text: str) -> int:
    if not (text.strip().isdecimal() and len(text) <= 4 and 1 <= int(text) <= highest):
        raise typer.BadParameter(f"a number from 1 to {highest}")
    return int(text)
