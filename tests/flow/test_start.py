"""Guarantees §7, start: what is wrong ends it with exit code 1 and one line that names the setting, not its value."""

import os
import socket
from pathlib import Path

import pytest

from flow.programs import Gateway
from servers.warm import run

SECRET = "hunter2-do-not-print"
GOOD = """
listen = "127.0.0.1:0"
state_dir = "{folder}"
database_url = "sqlite:///{folder}/tollway.db"
"""
BAD_SETTINGS = {
    "unknown key": ("colour = 'hunter2-do-not-print'", "colour: is not a setting"),
    "unknown key in a table": ("[limits]\ncolour = 1", "limits.colour: is not a setting"),
    "bad number": ("workers = 'hunter2-do-not-print'", "workers: "),
    "number out of range": ("workers = 0", "workers: "),
    "bad choice": ("log_level = 'hunter2-do-not-print'", "log_level: "),
    "bad time-out": ("[timeouts]\nheaders_s = 0", "timeouts.headers_s: "),
    "no table": ("limits = 'hunter2-do-not-print'", "limits: "),
    "unknown provider kind": ("[providers.x]\nkind = 'hunter2-do-not-print'", "providers.x.kind: "),
    "provider without an address": ("[providers.x]\nkind = 'compatible'", "providers.x.base_url: "),
    "bad provider address": (
        "[providers.x]\nkind = 'compatible'\nbase_url = 'ftp://hunter2-do-not-print'",
        "providers.x.base_url: ",
    ),
    "missing secret file": (
        "[providers.openai]\napi_key_file = '/nowhere/hunter2-do-not-print'",
        "providers.openai.api_key_file: ",
    ),
    "missing pepper file": ("key_pepper_file = '/nowhere/hunter2-do-not-print'", "key_pepper_file: "),
    "empty pepper file": ("key_pepper_file = '/dev/null'", "key_pepper_file: "),
    "missing hash secret file": (
        "user_hash_secret_file = '/nowhere/hunter2-do-not-print'",
        "user_hash_secret_file: ",
    ),
    "missing file of the key of anonymous ids": (
        "anon_id_key_file = '/nowhere/hunter2-do-not-print'",
        "anon_id_key_file: ",
    ),
    "unknown preset": ("preset = 'hunter2-do-not-print'", "preset: "),
    "missing preset": ("preset = '/nowhere/hunter2-do-not-print.toml'", "preset: "),
    "missing token secret file": ("[jwt]\nsecret_file = '/nowhere/hunter2-do-not-print'", "jwt.secret_file: "),
    "model of an unknown provider": (
        "[[models]]\nid = 'a/b'\nprovider = 'x'\nprompt_usd_per_million = 1\ncompletion_usd_per_million = 1",
        "models.a/b.provider: ",
    ),
    "model without a price": ("[[models]]\nid = 'a/b'\nprovider = 'x'", "models.0.prompt_usd_per_million: "),
}
BAD_VALUES = {
    "address": ("listen", "hunter2-do-not-print"),
    "port": ("listen", "127.0.0.1:70000"),
    "host": ("listen", "256.256.256.256:0"),
    "database": ("database_url", "mysql://hunter2-do-not-print"),
    "database that is not there": ("database_url", "postgresql://tollway:hunter2-do-not-print@127.0.0.1:9/tollway"),
    "database in no folder": ("database_url", "sqlite:////dev/null/hunter2-do-not-print/tollway.db"),
    "database that is none": ("database_url", "sqlite:////dev/null"),
    "state folder": ("state_dir", "/dev/null/hunter2-do-not-print"),
}


def _refusal(folder: Path, config: str | bytes, **environment: str) -> str:
    """The one line of a start that fails."""
    file = folder / "tollway.toml"
    file.write_bytes(config if isinstance(config, bytes) else config.encode())
    plain = {name: value for name, value in os.environ.items() if not name.startswith("TOLLWAY_")}
    ended = run(["tollway", "serve"], {**plain, "TOLLWAY_CONFIG": str(file), **environment}, folder)
    assert (ended.returncode, ended.stdout) == (1, ""), ended.stderr
    assert SECRET not in ended.stderr
    (line,) = ended.stderr.splitlines()
    assert line.startswith("tollway: ")
    return line.removeprefix("tollway: ")


@pytest.mark.parametrize(("lines", "expected"), BAD_SETTINGS.values(), ids=BAD_SETTINGS)
def test_bad_settings(tmp_path: Path, lines: str, expected: str) -> None:
    assert _refusal(tmp_path, GOOD.format(folder=tmp_path) + lines).startswith(expected)


@pytest.mark.parametrize(("name", "value"), BAD_VALUES.values(), ids=BAD_VALUES)
def test_bad_values(tmp_path: Path, name: str, value: str) -> None:
    environment = {f"TOLLWAY_{name.upper()}": value}
    assert _refusal(tmp_path, GOOD.format(folder=tmp_path), **environment).startswith(f"{name}: ")


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("TOLLWAY_COLOUR", "colour: is not a setting"),
        ("TOLLWAY_LIMITS__COLOUR", "limits.colour: is not a setting"),
        ("TOLLWAY_LISTEN__COLOUR", "listen.colour: is not a setting"),
        ("TOLLWAY_LIMITS__IN_FLIGHT", "limits.in_flight: "),
    ],
)
def test_bad_names_in_the_environment(tmp_path: Path, name: str, expected: str) -> None:
    assert _refusal(tmp_path, GOOD.format(folder=tmp_path), **{name: SECRET}).startswith(expected)


@pytest.mark.parametrize("config", [b"listen = ", b"listen = '\xff\xfe'", b"a = 1\na = 2"])
def test_a_file_that_is_not_toml(tmp_path: Path, config: bytes) -> None:
    assert _refusal(tmp_path, config).startswith(f"{tmp_path}/tollway.toml: ")


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    assert (
        _refusal(tmp_path, "", TOLLWAY_CONFIG="/nowhere.toml") == "/nowhere.toml: the configuration file cannot be read"
    )


def test_a_port_on_which_another_gateway_serves(tmp_path: Path) -> None:
    """Both could listen (SO_REUSEPORT), and each would get a part of the requests."""
    first = Gateway(tmp_path / "first", GOOD.format(folder=tmp_path / "first"))
    try:
        address = f"{first.host}:{first.port}"
        line = _refusal(tmp_path, GOOD.format(folder=tmp_path), TOLLWAY_LISTEN=address)
        assert line == "listen: Address already in use"
    finally:
        assert first.stop() == 0
    successor = Gateway(tmp_path / "second", GOOD.format(folder=tmp_path / "second"), {"TOLLWAY_LISTEN": address})
    assert successor.stop() == 0


def test_a_port_in_use(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as holder:
        address = f"127.0.0.1:{holder.getsockname()[1]}"
        line = _refusal(tmp_path, GOOD.format(folder=tmp_path), TOLLWAY_LISTEN=address)
    assert line == "listen: Address already in use"
