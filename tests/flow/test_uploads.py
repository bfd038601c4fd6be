"""Requests, cut anywhere on their way in and broken off on their way to an upstream (guarantees S, U2)."""

import socket
import struct
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from json import dumps
from pathlib import Path
from threading import Thread

import pytest

from flow.accounts import Account, Accounts
from flow.conversation import ask, chat, wait_for_end
from flow.programs import Gateway, Sim
from flow.quick import held_by, quick_settings
from flow.raw import CHAT, Raw, get, request

SENT_BYTES = 12_000_000
TAKEN_BYTES = 65_536
BODY = dumps({"model": "sim/echo", "messages": [{"role": "user", "content": "é\u2028 \U0001f600"}]}, ensure_ascii=False)


def of_known_length(account: Account) -> bytes:
    return request(BODY.encode(), CHAT, account.headers)


def in_chunks(account: Account) -> bytes:
    head = request(b"", CHAT, {**account.headers, "Transfer-Encoding": "chunked"})
    body = BODY.encode()
    pieces = (body[:7], body[7:50], body[50:])
    chunks = b"".join(b"%x;note=1\r\n%b\r\n" % (len(piece), piece) for piece in pieces)
    return head.replace(b"Content-Length: 0\r\n", b"") + chunks + b"0\r\n\r\n"


@pytest.mark.parametrize("upload", [of_known_length, in_chunks], ids=["length", "chunks"])
def test_a_request_that_is_cut_anywhere_is_the_same(
    gateway: Gateway, accounts: Accounts, account: Account, sim: Sim, upload: Callable[[Account], bytes]
) -> None:
    raw = upload(account)
    known = len(sim.records())
    with Raw(gateway) as connection, Raw(gateway) as other:
        for at in range(1, len(raw)):
            connection.send(raw[:at])
            assert other.send(get("/healthz")).read().status == 200  # by now the first part has been read
            answer = connection.send(raw[at:]).read()
            assert (at, answer.status) == (at, 200)
    mine = [one for one in sim.records()[known:] if one["kind"] == "request"]
    assert len(mine) == len(raw) - 1
    assert len({one["body_sha256"] for one in mine}) == 1
    answers = [one for one in sim.records()[known:] if one["kind"] == "answer"]
    assert accounts.spent(account) % len(answers) == 0


@contextmanager
def impatient() -> Iterator[tuple[int, list[bytes]]]:
    """A server that takes the start of a request and resets its connection; what came of each."""
    came: list[bytes] = []

    def serve(listener: socket.socket) -> None:
        while True:
            try:
                peer, _ = listener.accept()
            except OSError:
                return
            with peer:
                came.append(peer.recv(TAKEN_BYTES))
                peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = Thread(target=serve, args=(listener,))
        thread.start()
        yield listener.getsockname()[1], came
        listener.shutdown(socket.SHUT_RDWR)
    thread.join(10)


MODEL = """
[providers.impatient]
kind = "compatible"
base_url = "http://127.0.0.1:{port}/v1"

[[models]]
id = "impatient/story"
provider = "impatient"
prompt_usd_per_million = "1"
completion_usd_per_million = "1"
"""


@pytest.mark.parametrize("stream", [True, False], ids=["stream", "whole"])
def test_what_could_not_be_sent_whole_is_tried_twice_more_and_costs_nothing(
    tmp_path: Path, sim: Sim, stream: bool
) -> None:
    """No upstream has seen a whole request, so none can bill for it."""
    with impatient() as (port, came):
        gateway = Gateway(tmp_path, quick_settings(tmp_path, sim.url) + MODEL.replace("{port}", str(port)))
        accounts = Accounts(gateway.config)
        account = accounts.create()
        answer = ask(gateway, account, chat("impatient/story", stream, padding="x" * SENT_BYTES))
        assert (answer.status, answer.json["error"]["code"]) == (502, "upstream_unreachable")
        assert wait_for_end(gateway, account)["attempts"] == ["impatient:send"] * 3
        assert [one.startswith(b"POST /v1/chat/completions HTTP/1.1\r\n") for one in came] == [True] * 3
        assert (accounts.balance(account), held_by(accounts, account)) == (10_000_000, 0)
        assert accounts.differences() == ()
        assert gateway.stop() == 0
