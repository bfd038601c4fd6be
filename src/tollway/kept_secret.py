"""A secret that the deployment makes for itself once and keeps in a file."""

import os
from pathlib import Path

from tollway.ids import random_bytes


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
