"""How a key comes in: typed or pasted where nobody sees it, through a pipe, or out of the environment."""

import sys
from collections.abc import Mapping
from enum import StrEnum
from typing import Final

import typer

from tollway.cli.client_session import give_up
from tollway.client.gateways import Gateway

_KEY_BYTES_MAX: Final = 65_536


class Method(StrEnum):
    """What `--method` takes."""

    KEY = "key"
    STDIN = "stdin"
    ENV = "env"
    DEVICE = "device"


def ask_for_key(name: str) -> str:
    """Ask until there is one, without showing it."""
    if not sys.stdin.isatty():
        give_up("there is no terminal to ask for the key on; give it on standard input with --key-stdin")
    key: str = typer.prompt(f"Key of {name}", hide_input=True, value_proc=_read_typed)
    return key


def key_from_stdin() -> str:
    """All of standard input, without white space around it."""
    text = sys.stdin.buffer.read(_KEY_BYTES_MAX + 1)
    key = usable_key(text.decode(errors="replace")) if len(text) <= _KEY_BYTES_MAX else None
    return key or give_up("there is no key on standard input: it is empty, or has characters that no key has")


def key_from_environment(gateway: Gateway, environ: Mapping[str, str]) -> str:
    """The value of the gateway's own variable."""
    names = gateway.access.key_variables if gateway.config.env is None else gateway.config.env
    found = next((environ[name] for name in names if environ.get(name, "").strip()), "")
    return usable_key(found) or give_up(f"no usable key in the environment: {' or '.join(names) or 'no variable'}")


def usable_key(text: str) -> str | None:
    """Trimmed; None for what no header could carry."""
    key = text.strip()
    return key if key and key.isascii() and key.isprintable() else None


def _read_typed(text: str) -> str:
    key = usable_key(text)
    if key is None:
        raise typer.BadParameter("that is no key: it is empty, or has characters that no key has")
    return key
