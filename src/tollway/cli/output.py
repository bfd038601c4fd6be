"""How commands answer: JSON with stable keys, or a table; plain text when it is not read on a terminal."""

import dataclasses
import json
import sys
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from enum import Enum
from typing import Any, Final, NoReturn

import typer
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from tollway.money import format_usd

MONEY_SUFFIX: Final = "_microdollars"
_PIPED_WIDTH: Final = 1_000  # a pipe has no width: nothing is wrapped or cut


def refuse(why: str) -> NoReturn:
    """One line on stderr, exit code 1."""
    typer.echo(f"tollway: {why}", err=True)
    raise typer.Exit(1)


def fields_of(record: Any) -> dict[str, Any]:
    """A flat record dataclass as its fields, in order."""
    return {field.name: getattr(record, field.name) for field in dataclasses.fields(record)}


def write_json(value: Any) -> None:
    """Records as objects; instants as ISO 8601 in UTC; amounts stay whole micro-dollars."""
    typer.echo(json.dumps(value, default=_plain, indent=2, ensure_ascii=False))


def write_record(fields: Mapping[str, Any]) -> None:
    """One record, a line per field."""
    table = Table.grid(padding=(0, 2))
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in fields.items():
        table.add_row(Text(_title(name)), Text(_shown(name, value)))
    _print(_console(), table)


def write_table(records: Sequence[Any], columns: Sequence[str], empty: str) -> None:
    """A line per record, amounts aligned to the right; `empty` says that there are none."""
    if not records:
        typer.echo(empty, err=True)
        return
    console = _console()
    table = Table(box=SIMPLE_HEAD if console.is_terminal else None, pad_edge=False)
    for name in columns:
        table.add_column(Text(_title(name)), justify="right" if name.endswith(MONEY_SUFFIX) else "left")
    for record in records:
        table.add_row(*(Text(_shown(name, getattr(record, name))) for name in columns))
    _print(console, table)


def _console() -> Console:
    width = None if sys.stdout.isatty() else _PIPED_WIDTH
    return Console(width=width, highlight=False, markup=False, emoji=False)


def _print(console: Console, table: Table) -> None:
    with console.capture() as captured:
        console.print(table)
    typer.echo("\n".join(line.rstrip() for line in captured.get().splitlines()))


def _title(name: str) -> str:
    return name.removesuffix(MONEY_SUFFIX).replace("_", " ")


def _shown(name: str, value: Any) -> str:
    if value is None:
        return "unlimited" if "limit" in name else "-"
    if isinstance(value, tuple):
        return ", ".join(value) or "-"
    if name.endswith(MONEY_SUFFIX):
        return format_usd(value)
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, datetime):
        return value.strftime("%Y-%m-%d %H:%M:%SZ")
    return str(value.value if isinstance(value, Enum) else value)


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat().replace("+00:00", "Z")
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, Decimal):
        return f"{value:f}"  # a JSON number would be read as a binary float
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return fields_of(value)
    raise TypeError(f"{type(value).__name__} has no JSON form")
