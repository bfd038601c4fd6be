"""Guarantees §7: what SIGTERM, kill -9 and the loss of a parent do to requests under way."""

import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from flow.accounts import Account, Accounts
from flow.conversation import Conversation
from flow.programs import Gateway, Program, Sim, settings_for
from flow.raw import STORY, Raw, get, request
from flow.usage_rows import usage_of
from flow.workers import workers_of

READY = get("/readyz")
Start = Callable[..., Gateway]


@pytest.fixture
def start(tmp_path: Path, sim: Sim) -> Iterator[Start]:
    """Starts a gateway of its own with lines for the top of its settings."""
    started: list[Gateway] = []

    def run(top: str = "") -> Gateway:
        started.append(Gateway(tmp_path, settings_for(tmp_path, sim.url, top=top)))
        return started[-1]

    yield run
    for gateway in started:
        gateway.end()


def _account(gateway: Gateway) -> tuple[Accounts, Account]:
    accounts = Accounts(gateway.config)
    return accounts, accounts.create()


def _stream(gateway: Gateway, account: Account, **sim: object) -> Conversation:
    """A stream of which the first event has come."""
    conversation = Conversation(gateway)
    conversation.ask(account, {**STORY, "stream": True, "sim": sim})
    conversation.read_until(b"data: ")
    return conversation


ENDLESS = {"fault": "endless", "delay_ms": 20}
A_SECOND = {"chunks": 50, "delay_ms": 20}


def test_idle_connections_do_not_keep_it(start: Start) -> None:
    gateway = start()
    with Raw(gateway) as used, Raw(gateway) as fresh:
        assert used.send(READY).read().status == 200
        gateway.signal(signal.SIGTERM)
        assert used.rest() == b""
        assert fresh.rest() == b""
        assert gateway.wait(10) == 0


def test_a_running_stream_finishes_and_nothing_new_is_taken(start: Start) -> None:
    gateway = start()
    accounts, account = _account(gateway)
    with _stream(gateway, account, **A_SECOND) as stream, Raw(gateway) as open_already, Raw(gateway) as second:
        for connection in (open_already, second):
            assert connection.send(READY).read().json == {"status": "ready"}
        gateway.signal(signal.SIGTERM)
        gateway.wait_for('{"in_flight":1,"event":"draining"')
        answer = open_already.send(READY).read()
        assert (answer.status, answer.json) == (503, {"status": "failing", "failing": ["draining"]})
        assert answer.headers["connection"] == "close"
        assert open_already.rest() == b""
        answer = second.send(request(STORY, headers=account.headers)).read()  # it was on its way
        assert (answer.status, answer.headers["connection"]) == (200, "close")
        assert second.rest() == b""
        _wait_until_refused(gateway)
        ended = stream.read_answer()
        assert ended.is_done
        assert ended.errors == []
    assert gateway.wait(10) == 0
    assert [row.basis for row in usage_of(accounts, account)] == ["reported", "reported"]
    assert accounts.differences() == ()


def _wait_until_refused(gateway: Gateway) -> None:
    while True:
        try:
            with Raw(gateway) as connection:
                connection.rest()
        except ConnectionRefusedError:
            return


def test_a_plain_answer_that_has_not_begun_says_that_it_is_the_last(start: Start, sim: Sim) -> None:
    gateway = start()
    accounts, account = _account(gateway)
    with Raw(gateway) as connection:
        body = {**STORY, "sim": {"first_delay_ms": 1_000, "key": account.user_id}}
        connection.send(request(body, headers=account.headers))
        with Raw(gateway) as other:
            while b"tollway_in_flight 1.0" not in other.send(get("/metrics")).read().body:
                pass
        gateway.signal(signal.SIGTERM)
        answer = connection.read()
        assert (answer.status, answer.headers["connection"]) == (200, "close")
        assert connection.rest() == b""
    assert gateway.wait(10) == 0
    assert accounts.differences() == ()


def test_an_endless_stream_gets_one_error_event_and_is_settled(start: Start) -> None:
    gateway = start("[timeouts]\nshutdown_s = 0.5")
    accounts, account = _account(gateway)
    with _stream(gateway, account, **ENDLESS) as stream:
        gateway.signal(signal.SIGTERM)
        ended = stream.read_answer()
        assert ended.whole
        assert [error["code"] for error in ended.errors] == ["draining"]
        assert not ended.is_done
        assert ended.data[-1].startswith(b'{"')
    assert gateway.wait(10) == 0
    (row,) = usage_of(accounts, account)
    assert row.basis == "interrupted"
    assert 0 < row.cost == 10_000_000 - accounts.balance(account)
    assert accounts.differences() == ()


def test_a_stream_that_nobody_reads_does_not_keep_it(start: Start) -> None:
    gateway = start("[timeouts]\nshutdown_s = 0.5")
    accounts, account = _account(gateway)
    with Raw(gateway, receive_bytes=4_096) as connection:
        body = {**STORY, "stream": True, "sim": {"fault": "endless", "tokens_per_chunk": 4_000}}
        connection.send(request(body, headers=account.headers)).read_until(b"data: ")
        gateway.signal(signal.SIGTERM)
        assert gateway.wait(30) == 0
    assert [row.basis for row in usage_of(accounts, account)] == ["interrupted"]
    assert accounts.differences() == ()


def test_a_second_signal_ends_it_at_once(start: Start) -> None:
    gateway = start()
    _, account = _account(gateway)
    with _stream(gateway, account, **ENDLESS) as stream:
        gateway.signal(signal.SIGTERM)
        gateway.wait_for('{"in_flight":1,"event":"draining"')
        gateway.signal(signal.SIGTERM)
        assert gateway.wait(5) == 1
        assert not stream.read_answer().whole


def test_a_signal_to_the_whole_group_is_one_signal(start: Start) -> None:
    """As service managers send it: to the parent and to each worker."""
    gateway = start()
    accounts, account = _account(gateway)
    with _stream(gateway, account, **A_SECOND) as stream:
        for pid in workers_of(gateway):
            os.kill(pid, signal.SIGTERM)
        gateway.signal(signal.SIGTERM)
        assert stream.read_answer().is_done
    assert gateway.wait(10) == 0
    assert accounts.differences() == ()


def test_a_signal_during_start(tmp_path: Path, sim: Sim) -> None:
    """Before there are workers, and as soon as there is one."""
    config = tmp_path / "tollway.toml"
    config.write_text(settings_for(tmp_path, sim.url))
    early = Program(["tollway", "serve"], {"TOLLWAY_CONFIG": str(config)}, tmp_path)
    early.signal(signal.SIGTERM)
    assert early.wait(10) in (0, -signal.SIGTERM)
    late = Program(["tollway", "serve"], {"TOLLWAY_CONFIG": str(config)}, tmp_path)
    children = Path(f"/proc/{late.pid}/task/{late.pid}/children")
    while not children.read_text():
        pass
    late.signal(signal.SIGTERM)
    assert late.wait(20) == 0
    assert "Traceback" not in "".join(early.lines + late.lines)


def test_workers_without_a_parent_drain_and_end(start: Start) -> None:
    gateway = start("workers = 2")
    accounts, account = _account(gateway)
    with _stream(gateway, account, **A_SECOND) as stream:
        gateway.lose_parent()
        assert stream.read_answer().is_done
    assert [row.basis for row in usage_of(accounts, account)] == ["reported"]
    with pytest.raises(ConnectionRefusedError):
        Raw(gateway)
    assert accounts.differences() == ()


def test_two_workers_serve_and_a_dead_one_is_replaced(start: Start) -> None:
    gateway = start("workers = 2")
    assert len(_processes_answering(gateway, 2)) == 2
    killed, other = workers_of(gateway)
    os.kill(killed, signal.SIGKILL)
    while Path(f"/proc/{killed}").exists():  # what it had accepted dies with it
        pass
    while len(alive := workers_of(gateway)) < 2:
        with Raw(gateway) as connection:
            assert connection.send(READY).read().status == 200
    assert other in alive
    assert len(_processes_answering(gateway, 2)) == 2
    assert gateway.stop() == 0


def _processes_answering(gateway: Gateway, count: int) -> set[str]:
    """Request ids name their process; ask until so many have answered."""
    found: set[str] = set()
    while len(found) < count:
        with Raw(gateway) as connection:
            found.add(connection.send(READY).read().headers["x-request-id"][12:24])
    return found
