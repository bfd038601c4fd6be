"""A worker that may open 256 files, and 400 clients that come at once (guarantees O5)."""

import json
import os
import resource
import select
import signal
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from flow.accounts import Account, Accounts
from flow.conversation import ask as ask_chat
from flow.conversation import chat
from flow.patience import until
from flow.programs import Gateway, Sim, settings_for
from flow.raw import ask, get, request
from flow.workers import wait_until_served, workers_of

FILES = 256
CLIENTS = 400
LET_IN = 96  # limits/files.py
PATIENCE_S = 30
WELL_WITHIN_S = 5
TICKS = os.sysconf("SC_CLK_TCK")
CHAT = b"/v1/chat/completions"


@pytest.fixture
def few(tmp_path: Path, sim: Sim) -> Iterator[Gateway]:
    """Its worker is a second one, which begins with that limit: what it may have is counted at its start."""
    program = Gateway(tmp_path, settings_for(tmp_path, sim.url))
    resource.prlimit(program.pid, resource.RLIMIT_NOFILE, (FILES, FILES))
    (first,) = workers_of(program)
    os.kill(first, signal.SIGKILL)
    until(lambda: workers_of(program) not in ([], [first]))
    wait_until_served(program)
    yield program
    program.end()


class Client:
    """One connection that waits for nothing. `status` of its last answer, or None; `ended` when it was closed."""

    def __init__(self, gateway: Gateway) -> None:
        self.socket = socket.socket()
        self.socket.setblocking(False)
        self.socket.connect_ex((gateway.host, gateway.port))
        self.ended = False
        self.status: int | None = None
        self._seen = b""

    def ask(self, raw: bytes) -> None:
        self.status, self._seen = None, b""
        try:
            self.socket.sendall(raw)
        except OSError:
            self.ended = True

    def read(self) -> None:
        try:
            piece = self.socket.recv(65_536)
        except OSError:
            piece = b""
        self.ended = not piece
        self._seen += piece
        head, _, body = self._seen.partition(b"\r\n\r\n")
        length = next((line for line in head.split(b"\r\n") if line.lower().startswith(b"content-length")), b":-1")
        if len(body) == int(length.split(b":")[1]):
            self.status = int(head[9:12])


def flood(clients: list[Client], raw: bytes) -> None:
    """Each asks once it is let in; until all are answered or turned away."""
    poll, by_number = select.poll(), {one.socket.fileno(): one for one in clients}
    for number in by_number:
        poll.register(number, select.POLLOUT)
    ends_at = time.monotonic() + PATIENCE_S
    while any(one.status is None and not one.ended for one in clients):
        assert time.monotonic() < ends_at, "somebody is neither answered nor turned away"
        for number, what in poll.poll(1_000):
            one = by_number[number]
            if what & select.POLLOUT and not what & (select.POLLERR | select.POLLHUP):
                one.ask(raw)
                poll.modify(number, select.POLLIN)
            else:
                one.read()
            if one.ended:
                poll.unregister(number)


def processor_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def chat_of(account: Account) -> bytes:
    return request(json.dumps(chat()).encode(), CHAT, account.headers)


def test_few_files_turn_clients_away_and_fail_nobody(few: Gateway) -> None:
    accounts = Accounts(few.config)
    account = accounts.create()
    (worker,) = workers_of(few)
    clients = [Client(few) for _ in range(CLIENTS)]
    with ExitStack() as stack:
        for one in clients:
            stack.enter_context(one.socket)
        flood(clients, chat_of(account))
        inside = [one for one in clients if not one.ended]
        assert {one.status for one in inside} == {200}
        assert LET_IN - 2 <= len(inside) <= LET_IN  # the last of those who looked before may not be counted off yet
        before = processor_s(worker)
        assert select.select([one.socket for one in inside], [], [], 1) == ([], [], [])
        assert processor_s(worker) - before < 0.3
        for one in inside:
            one.ask(chat_of(account))
        flood(inside, chat_of(account))
        assert {(one.status, one.ended) for one in inside} == {(200, False)}
    begun = time.monotonic()
    until(lambda: _answers(few, account))
    assert time.monotonic() - begun < WELL_WITHIN_S
    assert ask(few, get("/readyz")).status == 200
    metrics = ask(few, get("/metrics")).body.decode().splitlines()
    assert f'tollway_bound_max{{bound="connections"}} {float(LET_IN)}' in metrics
    assert _counted(metrics, 'tollway_bound_rejected_total{bound="connections"}') >= CLIENTS - LET_IN
    assert _counted(metrics, 'tollway_requests_total{status="200"}') >= 2 * len(inside)
    assert not [line for line in metrics if line.startswith('tollway_requests_total{status="5') and '"503"' not in line]
    assert few.stop() == 0
    assert accounts.differences() == ()


def _answers(gateway: Gateway, account: Account) -> bool:
    try:
        return ask_chat(gateway, account, chat()).status == 200
    except (OSError, AssertionError):  # turned away: what was closed is not counted off yet
        return False


def _counted(metrics: list[str], name: str) -> float:
    return next(float(line.rpartition(" ")[2]) for line in metrics if line.startswith(name))
