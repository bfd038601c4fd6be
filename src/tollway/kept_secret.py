"""Secrets in files: those that settings name, and one that the deployment makes for itself once."""

import os
from pathlib import Path
from typing import Protocol

from tollway.ids import random_bytes
from tollway.settings_error import SettingsError


class Concealed(Protocol):
    """A secret that does not print itself, as settings hold it."""

    def get_secret_value(self) -> str: ...


class EmptySecretError(Exception):
    """The file is there, and has nothing in it."""


def read_or_make(path: Path) -> bytes:
    """The secret of the file (64 characters where it was made here, mode 0600); the link makes two starting processes
    agree on one. Raises OSError and EmptySecretError."""
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        draft = path.with_name(f"{path.name}.{os.getpid()}")
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            file.write(random_bytes(32).hex())
        try:
            os.link(draft, path)
        except FileExistsError:
            pass
        finally:
            draft.unlink()
    secret = path.read_text().strip()
    if not secret:
        raise EmptySecretError
    return secret.encode()


def secret_text(name: str, value: Concealed | None, file: Path | None) -> str | None:
    """A secret of the setting `name`, given directly or by file. Raises SettingsError when the file cannot be read."""
    if file is not None:
        try:
            text = file.read_text().strip()
        except (OSError, UnicodeDecodeError):
            raise SettingsError(f"{name}_file: the file cannot be read") from None
        if not text:
            raise SettingsError(f"{name}_file: the file is empty")
        return text
    return value.get_secret_value() if value else None
