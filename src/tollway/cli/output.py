"""How commands answer: JSON with stable keys, or a table; plain text when it is not read on a terminal."""

import dataclasses
import json
import sys
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from enum import Enum
from typing import TYPE_CHECKING, Any, Final, NoReturn

import typer

from tollway.money import format_usd

if TYPE_CHECKING:
    from tollway.admin.upstream_probes import Probed

MONEY_SUFFIX: Final = "_microdollars"
_GAP: Final = "  "


def refuse(why: str) -> NoReturn:
    """One line on stderr, exit code 1."""
    typer.echo(f"tollway: {why}", err=True)
    raise typer.Exit(1)


def show_probe(tested: "Probed", *, as_json: bool) -> None:
    """What came of trying a key or an endpoint; exit code 1 when it failed."""
    if as_json:
        write_json(tested)
    if not tested.success:
        refuse(tested.message)
    if not as_json:
        typer.echo(tested.message)


def fields_of(record: Any) -> dict[str, Any]:
    """A flat record dataclass as its fields, in order."""
    return {field.name: getattr(record, field.name) for field in dataclasses.fields(record)}


def write_json(value: Any) -> None:
    """Records as objects; instants as ISO 8601 in UTC; amounts stay whole micro-dollars."""
    typer.echo(json.dumps(value, default=_plain, indent=2, ensure_ascii=False))


def write_record(fields: Mapping[str, Any]) -> None:
    """One record, a line per field."""
    rows = [(_title(name), _shown(name, value)) for name, value in fields.items()]
    if not sys.stdout.isatty():
        _write_lines(rows, [False, False])
        return
    from tollway.cli.tables import print_record  # lazy: what draws on terminals is not loaded for pipes

    print_record(rows)


def write_table(records: Sequence[Any], columns: Sequence[str], empty: str) -> None:
    """A line per record, amounts aligned to the right; `empty` says that there are none."""
    if not records:
        typer.echo(empty, err=True)
        return
    titles = [_title(name) for name in columns]
    rows = [[_shown(name, getattr(record, name)) for name in columns] for record in records]
    are_right = [name.endswith(MONEY_SUFFIX) for name in columns]
    if not sys.stdout.isatty():
        _write_lines([titles, *rows], are_right)
        return
    from tollway.cli.tables import print_table  # lazy: see write_record

    print_table(titles, rows, are_right)


def _write_lines(rows: Sequence[Sequence[str]], are_right: Sequence[bool]) -> None:
    """Columns below each other, however wide: a pipe has no width, so nothing is wrapped or cut."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = zip(row, widths, are_right, strict=True)
        placed = (text.rjust(width) if is_right else text.ljust(width) for text, width, is_right in cells)
        typer.echo(_GAP.join(placed).rstrip())


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
