"""Answers of a hosted model under every fault of the stand-in: never its own name for the model, one honest ending."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from flow.accounts import Accounts
from flow.conversation import ask, chat
from flow.programs import Gateway, Sim
from flow.quick import quick_settings
from flow.usage_rows import usage_of

MODEL = "house/story"
PRESET = f"""
stream_comment = "STILL HERE"

[[hosted_models]]
public_id = "{MODEL}"
internal_id = "sim/story"
gateway = "sim"
context_length = 100000
completion_tokens_max = 1000
"""


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory, sim: Sim) -> Iterator[Gateway]:
    folder: Path = tmp_path_factory.mktemp("house")
    preset = folder / "preset.toml"
    preset.write_text(PRESET)
    program = Gateway(folder, quick_settings(folder, sim.url, top=f'preset = "{preset}"'))
    yield program
    program.stop()


@pytest.mark.parametrize(
    ("control", "ends"),
    [
        ({}, "done"),
        ({"split": 1}, "done"),
        ({"line_end": "crlf", "split": 5}, "done"),
        ({"line_end": "cr", "split": 1}, "done"),
        ({"bom": True, "comments": True, "split": 3}, "done"),
        ({"content_encoding": "gzip"}, "done"),
        ({"fault": "garbage"}, "done"),
        ({"fault": "bad_json"}, "done"),
        ({"fault": "no_done"}, "done"),
        ({"fault": "after_done"}, "done"),
        ({"fault": "hang_after_done"}, "done"),
        ({"fault": "reset"}, "error"),
        ({"fault": "cut"}, "error"),
        ({"fault": "half_close"}, "error"),
        ({"fault": "end_early"}, "error"),
        ({"fault": "stall"}, "error"),
        ({"fault": "bad_chunking"}, "error"),
        ({"fault": "long_line"}, "error"),
        ({"fault": "error_event"}, "error"),
    ],
    ids=str,
)
def test_a_stream(house: Gateway, control: dict[str, Any], ends: str) -> None:
    accounts = Accounts(house.config)
    account = accounts.create()
    answer = ask(house, account, chat(MODEL, True, control))
    assert (answer.status, answer.whole) == (200, True)
    assert (answer.is_done, len(answer.errors)) == ((True, 0) if ends == "done" else (False, 1))
    assert answer.body.count(b"[DONE]") == (ends == "done")
    for hidden in (b"sim/story", b'"cost"', b"\r", b"\xef\xbb\xbf"):
        assert hidden not in answer.body
    for block in answer.body.split(b"\n\n")[:-1]:
        assert block == b": STILL HERE" or block.startswith(b"data: ")
        assert b"\n" not in block
    events = [json.loads(data) for data in answer.data if data != b"[DONE]"]
    assert {event["model"] for event in events if "model" in event} == {MODEL}
    assert (b": STILL HERE\n\n" in answer.body) == ("comments" in control)
    [row] = usage_of(accounts, account)
    assert (row.cost, row.absorbed > 0) == (0, ends == "done")


def test_a_whole_answer(house: Gateway) -> None:
    accounts = Accounts(house.config)
    account = accounts.create()
    answer = ask(house, account, chat(MODEL))
    assert (answer.status, answer.json["model"]) == (200, MODEL)
    assert "cost" not in answer.json["usage"]
    [row] = usage_of(accounts, account)
    assert row.absorbed > 0


def test_a_refusal(house: Gateway) -> None:
    account = Accounts(house.config).create()
    answer = ask(house, account, chat(MODEL, True, {"status": 418}))
    assert answer.status == 418
    assert b"[DONE]" not in answer.body
