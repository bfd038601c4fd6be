"""Every wait for an upstream ends: one silent and one dripping peer per row of guarantees §4."""

import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from threading import Event, Thread
from time import monotonic

import pytest

from flow.accounts import Account, Accounts
from flow.conversation import Answer, ask, chat
from flow.programs import Gateway, Sim
from flow.quick import TIMEOUTS, held_by, quick_settings

LATE_S = 3  # a sweep, and a machine with other things to do
STREAM_HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n"
JSON_HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 100000\r\n\r\n"
DRIP_S = 0.1


@contextmanager
def deaf(backlog: int = 100) -> Iterator[int]:
    """A port that takes connections and never reads a byte."""
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
        listener.bind(("127.0.0.1", 0))
        listener.listen(backlog)
        yield listener.getsockname()[1]


@contextmanager
def unreachable() -> Iterator[int]:
    """A port whose queue is full, so that connecting to it gets no answer at all."""
    with ExitStack() as stack:
        port = stack.enter_context(deaf(backlog=0))
        for _ in range(3):
            filler = stack.enter_context(socket.socket())
            filler.setblocking(False)
            filler.connect_ex(("127.0.0.1", port))
        yield port


@contextmanager
def dripping(start: bytes, drop: bytes) -> Iterator[int]:
    """A port that answers every request with `start`, then with one `drop` after the other, without end."""
    stop = Event()

    def drip(peer: socket.socket) -> None:
        with peer:
            peer.recv(65_536)
            try:
                peer.sendall(start)
                while not stop.wait(DRIP_S):
                    peer.sendall(drop)
            except OSError:
                return

    def serve(listener: socket.socket) -> None:
        while True:
            try:
                peer, _ = listener.accept()
            except OSError:
                return
            threads.append(Thread(target=drip, args=(peer,)))
            threads[-1].start()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        threads = [Thread(target=serve, args=(listener,))]
        threads[0].start()
        yield listener.getsockname()[1]
        stop.set()
        listener.shutdown(socket.SHUT_RDWR)
    for thread in threads:
        thread.join(10)


@pytest.fixture(scope="module")
def slow(tmp_path_factory: pytest.TempPathFactory, sim: Sim) -> Iterator[Gateway]:
    """A gateway with a model per kind of slow upstream."""
    folder = tmp_path_factory.mktemp("slow")
    with ExitStack() as stack:
        deaf_port = stack.enter_context(deaf())
        error_head = JSON_HEAD.replace(b"200 OK", b"500 Internal Server Error")
        ports = {
            "unreachable": stack.enter_context(unreachable()),
            "deaf": deaf_port,
            "deaf_tls": deaf_port,
            "head": stack.enter_context(dripping(b"HTTP/1.1 200 OK\r\nx-slow: ", b"z")),
            "first_event": stack.enter_context(dripping(STREAM_HEAD + b"data: ", b"z")),
            "silence": stack.enter_context(dripping(STREAM_HEAD, b"")),
            "comments": stack.enter_context(dripping(STREAM_HEAD, b": wait\n\n")),
            "error_body": stack.enter_context(dripping(error_head, b"z")),
            "body": stack.enter_context(dripping(JSON_HEAD, b" ")),
        }
        settings = quick_settings(folder, sim.url, timeouts={"retry_total_s": 2.5})
        program = Gateway(folder, settings + "".join(_tables(name, port) for name, port in ports.items()))
        yield program
        program.stop()


def _tables(name: str, port: int) -> str:
    scheme = "https" if name.endswith("tls") else "http"
    return f"""
[providers.{name}]
kind = "compatible"
base_url = "{scheme}://127.0.0.1:{port}/v1"

[[models]]
id = "slow/{name}"
provider = "{name}"
prompt_usd_per_million = "1"
completion_usd_per_million = "1"
"""


@pytest.fixture(scope="module")
def slow_accounts(slow: Gateway) -> Accounts:
    return Accounts(slow.config)


def timed(gateway: Gateway, account: Account, body: dict[str, object]) -> tuple[Answer, float]:
    begun = monotonic()
    answer = ask(gateway, account, body)
    return answer, monotonic() - begun


@pytest.mark.parametrize(
    ("model", "stream", "limit", "tries"),
    [
        ("unreachable", False, "connect_s", 2),  # what cannot be connected to is tried again within retry_total_s
        ("deaf_tls", True, "connect_s", 2),
        ("deaf", True, "stream_headers_s", 1),
        ("deaf", False, "answer_s", 1),
        ("head", True, "stream_headers_s", 1),
        ("head", False, "answer_s", 1),
        ("first_event", True, "first_event_s", 1),
        ("silence", True, "first_event_s", 1),
        ("body", False, "answer_s", 1),
        ("error_body", False, "answer_s", 1),
        ("error_body", True, "answer_s", 1),
    ],
)
def test_before_the_first_byte_it_is_504(
    slow: Gateway, slow_accounts: Accounts, model: str, stream: bool, limit: str, tries: int
) -> None:
    account = slow_accounts.create()
    answer, seconds = timed(slow, account, chat(f"slow/{model}", stream))
    assert (answer.status, answer.json["error"]["code"]) == (504, "upstream_timeout")
    assert TIMEOUTS[limit] * tries - 0.1 <= seconds <= TIMEOUTS[limit] * tries + LATE_S
    assert slow_accounts.balance(account) == 10_000_000
    assert held_by(slow_accounts, account) == 0


def test_a_request_that_nobody_reads(slow: Gateway, slow_accounts: Accounts) -> None:
    """It was not sent whole, so it may be tried again, and cost nothing."""
    account = slow_accounts.create()
    answer, seconds = timed(slow, account, chat("slow/deaf", padding="x" * 12_000_000))
    assert (answer.status, answer.json["error"]["code"]) == (504, "upstream_timeout")
    assert TIMEOUTS["send_s"] * 2 - 0.1 <= seconds <= TIMEOUTS["send_s"] * 2 + LATE_S
    assert held_by(slow_accounts, account) == 0


@pytest.mark.parametrize(
    ("control", "limit"),
    [
        ({"fault": "stall"}, "silence_s"),
        ({"fault": "drip"}, "stream_s"),
        ({"fault": "endless", "delay_ms": 50}, "stream_s"),
        ({"first_event_delay_ms": 1_000, "fault": "stall", "at": 0}, "silence_s"),
    ],
)
def test_after_the_first_byte_it_is_an_error_event(
    slow: Gateway, slow_accounts: Accounts, control: dict[str, object], limit: str
) -> None:
    account = slow_accounts.create()
    answer, seconds = timed(slow, account, chat("sim/story", True, control))
    assert answer.status == 200
    assert [error["code"] for error in answer.errors] == ["upstream_timeout"]
    assert not answer.is_done
    assert TIMEOUTS[limit] - 0.1 <= seconds <= TIMEOUTS[limit] + 1 + LATE_S
    assert held_by(slow_accounts, account) == 0


def test_comments_are_life_but_not_for_ever(slow: Gateway, slow_accounts: Accounts) -> None:
    answer, seconds = timed(slow, slow_accounts.create(), chat("slow/comments", True))
    assert [error["code"] for error in answer.errors] == ["upstream_timeout"]
    assert answer.body.count(b": wait\n\n") > 5
    assert TIMEOUTS["stream_s"] - 0.1 <= seconds <= TIMEOUTS["stream_s"] + LATE_S


def test_others_are_served_meanwhile(slow: Gateway, slow_accounts: Accounts) -> None:
    account = slow_accounts.create()
    waiting = Thread(target=ask, args=(slow, slow_accounts.create(), chat("slow/deaf")))
    waiting.start()
    for _ in range(5):
        assert ask(slow, account, chat()).status == 200
    assert waiting.is_alive()
    waiting.join(20)
    assert slow_accounts.differences() == ()


def test_a_silent_start_is_not_extended_by_a_late_one(slow: Gateway, slow_accounts: Accounts, tmp_path: Path) -> None:
    """Headers may take their time, and the first event its own; together they stay within both."""
    control = {"first_delay_ms": 1_000, "first_event_delay_ms": 1_000}
    answer, _ = timed(slow, slow_accounts.create(), chat("sim/story", True, control))
    assert answer.is_done
    late = {"first_delay_ms": 0, "first_event_delay_ms": 3_000}
    answer, _ = timed(slow, slow_accounts.create(), chat("sim/story", True, late))
    assert answer.status == 504
