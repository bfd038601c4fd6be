"""What an organization's host says about how its people get a token: a command of theirs that prints it.

Source: catalog-and-clients D.2, D.3.
"""

import re
from typing import Final

from msgspec import DecodeError, Struct, ValidationError
from msgspec.json import decode

from tollway.client.errors import ClientError

PATH: Final = "/.well-known/tollway"
_VARIABLE: Final = re.compile(r"[A-Z][A-Z0-9_]{0,63}")
_ARGUMENTS_MAX: Final = 32


class _Auth(Struct):
    command: list[str]
    env: str


class _Document(Struct):
    auth: _Auth


class TokenCommand(Struct, frozen=True):
    """`arguments` are run without a shell, once a person has seen and confirmed them; the token is for `variable`."""

    arguments: tuple[str, ...]
    variable: str


def read_well_known(status: int, body: bytes) -> TokenCommand | None:
    """None: the host has no such document. Raises ClientError for one that is not to be trusted with a terminal."""
    if status != 200:
        return None
    try:
        auth = decode(body, type=_Document).auth
    except (DecodeError, ValidationError, RecursionError):
        return None
    is_plain = all(one.isascii() and one.isprintable() for one in auth.command)
    if not is_plain or not 0 < len(auth.command) <= _ARGUMENTS_MAX or not auth.command[0].strip():
        raise ClientError(f"{PATH}: the command has characters that cannot be shown, or is empty")
    if not _VARIABLE.fullmatch(auth.env):
        raise ClientError(f"{PATH}: env is not the name of a variable")
    return TokenCommand(tuple(auth.command), auth.env)
