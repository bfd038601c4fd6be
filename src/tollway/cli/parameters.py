"""Reads what is typed for the parameters of commands.

typer reads them through pydantic, which takes longer to load than most commands run. A parameter of a kind that is
not known here, it goes on reading itself.
"""

from collections.abc import Callable, Iterator
from enum import StrEnum
from pathlib import Path
from typing import Any, TypeAlias, get_args, get_origin

import typer

Read: TypeAlias = Callable[[Any], Any]


class PlainReader:
    """What typer asks for the value of a parameter. `read` makes it of one text, or raises ValueError."""

    def __init__(self, read: Read) -> None:
        self._read = read

    def coerce(self, value: Any, param: Any, ctx: Any) -> Any:
        is_list = param.multiple or param.nargs == -1
        if value is None:
            return () if is_list else None
        try:
            return [self._read(one) for one in value] if is_list else self._read(value)
        except ValueError as error:
            raise typer.BadParameter(str(error), ctx=ctx, param=param) from None


def read_plainly(command: Any) -> None:
    """From now on the parameters of this command, or of all commands of this group, are read here."""
    for one in _with_inner(command):
        for param in one.params:
            _read_plainly(param)
        one.get_help_option = _with_plain_help(one.get_help_option)


def _read_plainly(param: Any) -> None:
    described = getattr(param, "type_descriptor", None)
    read = _reader(described.annotation, described.parameter_info.parser) if described else None
    if read:
        param._runtime_param = PlainReader(read)


def _with_plain_help(given: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """`--help` is a parameter as well, which typer adds while it reads the others."""

    def get_help_option(ctx: Any) -> Any:
        option = given(ctx)
        _read_plainly(option)
        return option

    return get_help_option


def _with_inner(command: Any) -> Iterator[Any]:
    yield command
    for inner in getattr(command, "commands", {}).values():
        yield from _with_inner(inner)


def _reader(annotation: Any, parser: Read | None) -> Read | None:
    """None: of a kind that is not known here."""
    if get_origin(annotation) is list:
        annotation = get_args(annotation)[0]
    if parser:
        return parser
    if annotation is int:
        return _whole_number
    if annotation in (str, Path, bool):  # a flag that nobody gave has no text to read; one that was given is a bool
        plain: Read = annotation
        return plain
    return _choice(annotation) if isinstance(annotation, type) and issubclass(annotation, StrEnum) else None


def _whole_number(text: Any) -> int:
    try:
        return int(text)
    except ValueError:
        raise ValueError(f"{text!r} is not a whole number") from None


def _choice(choices: type[StrEnum]) -> Read:
    def read(text: Any) -> StrEnum:
        try:
            return choices(text)
        except ValueError:
            raise ValueError(f"{text!r} is not one of {', '.join(repr(one.value) for one in choices)}.") from None

    return read
