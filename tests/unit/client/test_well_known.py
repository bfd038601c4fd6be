import json
from typing import Any

import pytest

from tollway.client.errors import ClientError
from tollway.client.well_known import TokenCommand, read_well_known


def body(command: Any = ("corp-login", "--print"), env: Any = "CORP_TOKEN") -> bytes:
    return json.dumps({"auth": {"command": command, "env": env}, "more": 1}).encode()


def test_a_command_for_a_variable() -> None:
    assert read_well_known(200, body()) == TokenCommand(("corp-login", "--print"), "CORP_TOKEN")


@pytest.mark.parametrize(("status", "text"), [(404, body()), (302, body()), (0, b""), (200, b"<html>"), (200, b"{}")])
def test_no_such_document(status: int, text: bytes) -> None:
    assert read_well_known(status, text) is None


@pytest.mark.parametrize(
    "text",
    [
        body([]),
        body([" "]),
        body(["a"] * 33),
        body(["a\x1b[2J"]),
        body(["a", "b\nc"]),
        body(env="PATH=x"),
        body(env="a"),
    ],
)
def test_what_is_not_to_be_shown_or_set(text: bytes) -> None:
    with pytest.raises(ClientError):
        read_well_known(200, text)
