"""Tables on a terminal: as wide as it is, long texts folded."""

from collections.abc import Sequence

import typer
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text


def print_record(rows: Sequence[tuple[str, str]]) -> None:
    """Names and values, a line each."""
    table = Table.grid(padding=(0, 2))
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in rows:
        table.add_row(Text(name), Text(value))
    _print(table)


def print_table(titles: Sequence[str], rows: Sequence[Sequence[str]], are_right: Sequence[bool]) -> None:
    """are_right: which columns are aligned to the right."""
    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    for title, is_right in zip(titles, are_right, strict=True):
        table.add_column(Text(title), justify="right" if is_right else "left")
    for row in rows:
        table.add_row(*map(Text, row))
    _print(table)


def _print(table: Table) -> None:
    console = Console(highlight=False, markup=False, emoji=False)
    with console.capture() as captured:
        console.print(table)
    typer.echo("\n".join(line.rstrip() for line in captured.get().splitlines()))
