"""A secret that somebody enters: from a file, from standard input, or typed without being shown. Never an argument,
because every process of a machine can read those."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from tollway.cli.output import refuse

KeyFile = Annotated[Path | None, typer.Option("--key-file", help="File that holds the key; else it is asked for.")]


def read_key(file: Path | None) -> str:
    """Trimmed. Ends the command when the file cannot be read."""
    if file is not None:
        try:
            return file.read_text().strip()
        except (OSError, UnicodeDecodeError) as error:
            refuse(f"{file}: {getattr(error, 'strerror', None) or 'is not text'}")
    if sys.stdin.isatty():
        return str(typer.prompt("API key", hide_input=True)).strip()
    return sys.stdin.read().strip()
