"""Children by fork: exit codes, signals, and that a child never runs on in the code of its parent."""

import os
import signal
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tollway.cli.forked import Forked, fork, reap_strangers
from tollway.ids import new_request_id

HANDLED = (signal.SIGTERM, signal.SIGUSR1)


@pytest.fixture(autouse=True)
def _alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """The test process has threads of its own (pytest-xdist), which a child here does not need."""
    monkeypatch.setattr(threading, "active_count", lambda: 1)


@pytest.fixture
def handler() -> Iterator[list[int]]:
    """A parent that handles SIGUSR1; the signals that it saw."""
    seen: list[int] = []
    before = signal.signal(signal.SIGUSR1, lambda number, _: seen.append(number))
    yield seen
    signal.signal(signal.SIGUSR1, before)


def ended(child: Forked) -> int:
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    code = child.poll()
    assert code is not None
    return code


def fails() -> int:
    raise ValueError("it says why")


@pytest.mark.parametrize(("run", "code"), [(lambda: 0, 0), (lambda: 7, 7), (fails, 1), (lambda: exit(0), 1)])
def test_what_it_ends_with(run: Callable[[], int], code: int) -> None:
    child = fork(run, "tollway-test", HANDLED)
    assert ended(child) == code
    assert child.poll() == code


def test_it_is_named_and_in_a_session_of_its_own() -> None:
    reader, writer = os.pipe()

    def tell() -> int:
        name = Path("/proc/self/comm").read_text().strip()
        os.write(writer, f"{name} {os.getsid(0) == os.getpid()}".encode())
        return 0

    assert ended(fork(tell, "tollway-test", HANDLED)) == 0
    assert os.read(reader, 100) == b"tollway-test True"
    os.close(reader)
    os.close(writer)


def test_it_gives_request_ids_of_its_own() -> None:
    """The same bits and the same counter in two workers would be the same request id twice: one charge lost."""
    reader, writer = os.pipe()

    def tell() -> int:
        os.write(writer, new_request_id().encode())
        return 0

    assert ended(fork(tell, "tollway-test", HANDLED)) == 0
    assert os.read(reader, 32).decode()[12:24] != new_request_id()[12:24]
    os.close(reader)
    os.close(writer)


def test_a_signal_ends_the_child_and_is_not_handled_as_the_parent_would(handler: list[int]) -> None:
    reader, writer = os.pipe()

    def wait() -> int:
        os.write(writer, b"!")
        signal.pause()
        return 0

    child = fork(wait, "tollway-test", HANDLED)
    assert os.read(reader, 1) == b"!"
    assert child.poll() is None
    child.send_signal(signal.SIGUSR1)
    assert ended(child) == -signal.SIGUSR1
    child.send_signal(signal.SIGUSR1)  # nobody is there any more
    assert handler == []
    os.close(reader)
    os.close(writer)


def test_the_parent_handles_its_signals_as_before(handler: list[int]) -> None:
    ended(fork(lambda: 0, "tollway-test", HANDLED))
    signal.raise_signal(signal.SIGUSR1)
    assert handler == [signal.SIGUSR1]


def test_a_process_with_threads_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threading, "active_count", lambda: 2)
    with pytest.raises(RuntimeError, match="threads"):
        fork(lambda: 0, "tollway-test", HANDLED)


def test_strangers_that_ended_are_forgotten_and_ours_are_not() -> None:
    """In a process of its own: this one may have children of other tests."""

    def first_of_a_container() -> int:
        reap_strangers(())  # nobody is there
        stranger = os.fork() or os._exit(3)
        os.waitid(os.P_PID, stranger, os.WEXITED | os.WNOWAIT)
        ours = fork(lambda: 7, "tollway-test", HANDLED)
        os.waitid(os.P_PID, ours.pid, os.WEXITED | os.WNOWAIT)
        reap_strangers({ours.pid})
        assert ended(ours) == 7
        running = fork(lambda: signal.pause() or 0, "tollway-test", HANDLED)
        reap_strangers({running.pid})
        assert running.poll() is None
        with pytest.raises(ChildProcessError):
            os.waitpid(stranger, os.WNOHANG)
        running.send_signal(signal.SIGKILL)
        return 0

    assert ended(fork(first_of_a_container, "tollway-test", HANDLED)) == 0
