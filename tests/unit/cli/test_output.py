from dataclasses import dataclass
from datetime import UTC, datetime

import pytest

from tollway.cli.output import write_json, write_record, write_table


@dataclass(frozen=True)
class Row:
    name: str
    done: bool
    amount_microdollars: int


def test_a_table_keeps_long_values_whole(capsys: pytest.CaptureFixture[str]) -> None:
    write_table([Row("n" * 300, True, -5)], ("name", "done", "amount_microdollars"), "nothing")
    assert capsys.readouterr().out.splitlines()[1] == f"{'n' * 300}  yes   -$0.000005"


def test_columns_of_a_pipe(capsys: pytest.CaptureFixture[str]) -> None:
    write_table([Row("a", True, 1_000_000), Row("long", False, 12_500_000)], ("amount_microdollars", "name"), "nothing")
    assert capsys.readouterr().out == "    amount  name\n $1.000000  a\n$12.500000  long\n"
    write_record({"name": "a", "limit_microdollars": None, "is_admin": False})
    assert capsys.readouterr().out == "name      a\nlimit     unlimited\nis admin  no\n"


def test_json_has_instants_in_utc_and_amounts_as_integers(capsys: pytest.CaptureFixture[str]) -> None:
    write_json({"at": datetime(2026, 3, 1, tzinfo=UTC), "row": Row("é", False, 7)})
    out = capsys.readouterr().out
    assert '"at": "2026-03-01T00:00:00Z"' in out
    assert '"name": "é"' in out
    assert '"amount_microdollars": 7' in out


def test_json_of_anything_else_is_a_bug() -> None:
    with pytest.raises(TypeError, match="object has no JSON form"):
        write_json(object())
