import pytest

from tollway.cli.tables import print_record, print_table


def test_amounts_stand_below_each_other(capsys: pytest.CaptureFixture[str]) -> None:
    print_table(["name", "amount"], [["a", "$1"], ["b", "$12.50"]], [False, True])
    assert capsys.readouterr().out.split("\n")[3:5] == [" a          $1", " b      $12.50"]


def test_long_values_are_folded_not_cut(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    print_record([("id", "1"), ("key", "k" * 100)])
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "id   1"
    assert max(map(len, lines)) <= 40
    assert sum(line.count("k") for line in lines[1:]) == 101
