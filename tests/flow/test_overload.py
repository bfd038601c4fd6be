"""What is refused when memory runs short, and what is not; what is shown of bounds (guarantees O1, O4, O5)."""

import re
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from flow.accounts import Accounts
from flow.conversation import ask, chat
from flow.patience import until
from flow.programs import Gateway, Sim, settings_for
from flow.raw import Raw, get
from flow.raw import ask as ask_raw

ONE_MIB = 1024**2
ROOMY_BYTES = 180 * ONE_MIB  # twice a worker
UPLOADS, UPLOAD_BYTES = 6, 18 * ONE_MIB


@pytest.fixture
def cramped(tmp_path: Path, sim: Sim) -> Iterator[Gateway]:
    """A worker alone is more than may be used."""
    program = Gateway(tmp_path, settings_for(tmp_path, sim.url) + f"\n[limits]\nmemory_bytes = {ONE_MIB}\n")
    yield program
    program.end()


def test_short_memory_refuses_requests_and_nothing_else(cramped: Gateway) -> None:
    account = Accounts(cramped.config).create()
    for _ in range(3):
        refused = ask(cramped, account, chat())
        assert (refused.status, refused.json["error"]["code"]) == (503, "overloaded")
        assert int(refused.headers["retry-after"]) in (4, 5, 6)
    for path in ("/healthz", "/readyz", "/v1/models"):
        assert ask_raw(cramped, get(path)).status == 200
    metrics = ask_raw(cramped, get("/metrics")).body.decode().splitlines()
    assert 'tollway_bound_rejected_total{bound="memory"} 3.0' in metrics
    assert f'tollway_bound_max{{bound="memory"}} {float(ONE_MIB * 9 // 10)}' in metrics
    cramped.wait_for_words('"event":"memory"', '"refused":"all"')
    assert cramped.stop() == 0


def test_every_bound_is_shown_and_explained(cramped: Gateway) -> None:
    """Current values are of what a worker has one of, or has a fullest one of."""
    text = ask_raw(cramped, get("/metrics")).body.decode()
    shown = {
        kind: set(re.findall(rf'^tollway_bound_{kind}{{bound="(\w+)"}}', text, re.MULTILINE))
        for kind in ("current", "max", "rejected_total")
    }
    assert shown["max"] == shown["rejected_total"]
    assert shown["max"] - shown["current"] == {
        "connections_per_address",
        "failed_logins",
        "in_flight_per_account",
        "in_flight_per_key",
        "open_files",
    }
    assert 'tollway_bound_current{bound="connections"} 1.0' in text
    page = (Path(__file__).parents[2] / "docs" / "guides" / "scale-out.md").read_text()
    table = page.partition("## What a worker refuses")[2].partition("## ")[0]
    named = {
        word
        for line in table.splitlines()
        if line.startswith("|")
        for word in re.findall(r"`(\w+)`", line.split("|")[1])
    }
    assert named - {"bound"} == shown["max"]


def test_what_uploads_have_taken_comes_back(tmp_path: Path, sim: Sim) -> None:
    """The C library keeps what was freed, and what it keeps must refuse nobody."""
    program = Gateway(tmp_path, settings_for(tmp_path, sim.url) + f"\n[limits]\nmemory_bytes = {ROOMY_BYTES}\n")
    with ExitStack() as stack:
        stack.callback(program.end)
        account = Accounts(program.config).create()
        assert ask(program, account, chat()).status == 200
        with ExitStack() as uploads:
            for _ in range(UPLOADS):
                upload = uploads.enter_context(Raw(program))
                upload.send(b"POST /v1/chat/completions HTTP/1.1\r\nHost: gateway\r\n")
                upload.send(b"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n" % (UPLOAD_BYTES + 1))
                upload.send(bytes(UPLOAD_BYTES))
            until(lambda: ask(program, account, chat()).status == 503)
            assert ask_raw(program, get("/healthz")).status == 200
        begun = time.monotonic()
        until(lambda: ask(program, account, chat()).status == 200)
        assert time.monotonic() - begun < 5
        assert program.stop() == 0
