import io
import sys
from pathlib import Path

import pytest
import typer

from tollway.cli.entered_key import read_key


def test_from_a_file_or_from_standard_input(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "key"
    file.write_text(" sk-1\n")
    assert read_key(file) == "sk-1"
    monkeypatch.setattr(sys, "stdin", io.StringIO("sk-2\n"))
    assert read_key(None) == "sk-2"


def test_on_a_terminal_it_is_asked_for_and_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    asked: list[bool] = []

    def prompt(_: str, *, hide_input: bool) -> str:
        asked.append(hide_input)
        return "sk-3"

    monkeypatch.setattr(sys, "stdin", Terminal())
    monkeypatch.setattr(typer, "prompt", prompt)
    assert read_key(None) == "sk-3"
    assert asked == [True]


def test_a_file_that_cannot_be_read_ends_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    binary = tmp_path / "binary"
    binary.write_bytes(b"\xff\xfe")
    for file, why in ((tmp_path / "none", "No such file or directory"), (binary, "is not text")):
        with pytest.raises(typer.Exit):
            read_key(file)
        assert capsys.readouterr().err == f"tollway: {file}: {why}\n"
