"""The parent of the workers: forks them, replaces the dead with back-off, passes signals on, never touches traffic."""

import os
import selectors
import signal
import socket
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from types import FrameType
from typing import Final

from tollway.cli.backoff import Backoff
from tollway.cli.forked import Forked, fork, reap_strangers
from tollway.clock import monotonic, steady
from tollway.deadlines import NEVER
from tollway.gateway.timekeeping import LOOK_S, watch
from tollway.http.listener import check_unused, open_listener
from tollway.settings import Settings

PREPARED_BYTE: Final = b"p"  # schema and prices are there; until then a worker may take as long as a migration takes
READY_BYTE: Final = b"r"
START_SECONDS_MAX: Final = 60.0  # from prepared to ready
_FIRST: Final = 1  # the number of a container's first process, to which orphans fall
_SIGNALS: Final = (signal.SIGTERM, signal.SIGINT, signal.SIGCHLD)

# port; where to say that it is prepared, then ready; what ends with the supervisor → exit code
RunWorker = Callable[[int, socket.socket, socket.socket], int]


@dataclass(slots=True)
class _Slot:
    """One worker's place. Times are monotonic seconds."""

    index: int
    process: Forked | None = None
    ready: socket.socket | None = None
    life: socket.socket | None = None
    is_ready: bool = False
    ready_at: float = 0.0
    started_at: float = 0.0
    starts_until: float = NEVER
    backoff: Backoff = field(default_factory=Backoff)
    restart_at: float = NEVER


class Supervisor:
    """Runs until the workers are told to stop and have ended."""

    def __init__(self, settings: Settings, run_worker: RunWorker, on_ready: Callable[[str], None]) -> None:
        """`run_worker` is the life of a worker, in a process of its own. `on_ready(address)` is called once, when every
        worker serves. Raises OSError when the port is taken."""
        self._settings = settings
        self._run_worker = run_worker
        self._on_ready = on_ready
        check_unused(settings.host, settings.port)
        # Bound but not listening: it keeps the port ours while workers come and go, and takes no connection.
        self._reserved = open_listener(settings.host, settings.port)
        self._port = self._reserved.getsockname()[1]
        self._slots = [_Slot(index) for index in range(settings.workers)]
        self._selector = selectors.DefaultSelector()
        self._asked_to_stop = 0  # signals that came
        self._stopping = 0  # signals that were acted upon
        self._announced = False
        self._exit_code = 0
        self._look_at = monotonic()  # at the wall clock, next
        self._wake, self._woken = socket.socketpair()

    def run(self) -> int:
        """The exit code: 0 after an orderly stop."""
        self._wake.setblocking(False)
        self._woken.setblocking(False)
        signal.set_wakeup_fd(self._wake.fileno())
        for name in _SIGNALS:
            signal.signal(name, self._on_signal)
        self._selector.register(self._woken, selectors.EVENT_READ)
        self._start(self._slots[0])  # alone, so that a start that fails says so once
        while any(slot.process for slot in self._slots) or not self._stopping:
            self._wait()
        return self._exit_code

    def _wait(self) -> None:
        due = min(self._look_at, *(min(slot.restart_at, slot.starts_until) for slot in self._slots))
        for key, _ in self._selector.select(max(0.0, due - monotonic())):
            if key.fileobj is self._woken:
                self._woken.recv(4_096)
            else:
                self._hear(key.data)
        self._reap()
        while self._stopping < self._asked_to_stop:
            self._stop()
        now = monotonic()
        if self._look_at <= now:  # a worker begins with this process's clock
            watch(steady, now, may_believe=True)
            self._look_at = now + LOOK_S
        for slot in self._slots:
            if slot.starts_until <= now and slot.process:
                sys.stderr.write(f"tollway: a worker did not start within {START_SECONDS_MAX:.0f} s\n")
                slot.starts_until = NEVER
                slot.process.send_signal(signal.SIGKILL)
            if slot.restart_at <= now and not self._stopping:
                self._start(slot)

    def _start(self, slot: _Slot) -> None:
        slot.restart_at = NEVER
        slot.ready, ready_theirs = socket.socketpair()
        slot.life, life_theirs = socket.socketpair()
        slot.started_at = monotonic()
        slot.is_ready = False

        def live() -> int:
            self._let_go()
            return self._run_worker(self._port, ready_theirs, life_theirs)

        try:
            slot.process = fork(live, f"tollway-w{slot.index}", _SIGNALS)
        except OSError as error:  # no memory or no processes left, which can pass
            sys.stderr.write(f"tollway: a worker cannot be started: {error.strerror}\n")
        ready_theirs.close()
        life_theirs.close()
        self._selector.register(slot.ready, selectors.EVENT_READ, slot)
        if slot.process is None:
            self._lose(slot)

    def _let_go(self) -> None:
        """In a new worker: of what is the supervisor's alone. A sibling that kept its end of a life socket would hide
        from all others that the supervisor is gone."""
        self._selector.close()
        for one in (self._reserved, self._wake, self._woken):
            one.close()
        for slot in self._slots:
            for end in (slot.ready, slot.life):
                if end:
                    end.close()

    def _hear(self, slot: _Slot) -> None:
        assert slot.ready
        said = slot.ready.recv(1)
        if said == PREPARED_BYTE:
            slot.starts_until = monotonic() + START_SECONDS_MAX
            return
        if said == READY_BYTE:
            slot.is_ready = True
            slot.ready_at = monotonic()
            slot.starts_until = NEVER
            self._start_others()
            if not self._announced and all(one.is_ready for one in self._slots):
                self._announced = True
                self._on_ready(f"{self._settings.listen.rpartition(':')[0]}:{self._port}")
        self._stop_hearing(slot)

    def _start_others(self) -> None:
        """The first worker serves: what the others need is there."""
        for slot in self._slots:
            if not slot.started_at and not self._stopping:
                self._start(slot)

    def _stop_hearing(self, slot: _Slot) -> None:
        if slot.ready:
            self._selector.unregister(slot.ready)
            slot.ready.close()
            slot.ready = None

    def _reap(self) -> None:
        for slot in self._slots:
            if slot.process is None or slot.process.poll() is None:
                continue
            code = slot.process.returncode
            slot.process = None
            slot.starts_until = NEVER
            if self._stopping:
                was_orderly = code == 0 or (code == -signal.SIGTERM and not slot.is_ready)  # it had only begun
                self._exit_code = self._exit_code or int(not was_orderly)
            self._lose(slot, code)
        if os.getpid() == _FIRST:
            reap_strangers({slot.process.pid for slot in self._slots if slot.process})

    def _lose(self, slot: _Slot, code: int | None = None) -> None:
        """Its worker has ended with that code, or never began; when is there to be another one?"""
        self._stop_hearing(slot)
        if slot.life:
            slot.life.close()
            slot.life = None
        if self._stopping:
            return
        if not self._announced:
            self._exit_code = 1  # a worker that cannot even start has said why
            self._asked_to_stop += 1
        else:
            self._replace_later(slot, code)

    def _replace_later(self, slot: _Slot, code: int | None) -> None:
        now = monotonic()
        served_s = now - slot.ready_at if slot.is_ready else 0.0
        pause_s = slot.backoff.pause_s(served_s, slot.is_ready and code == -signal.SIGKILL)
        slot.restart_at = now + pause_s
        if code is not None:
            how = f"signal {-code}" if code < 0 else f"exit code {code}"
            when = f"{served_s:.1f} s after it was ready" if slot.is_ready else "before it was ready"
            sys.stderr.write(
                f"tollway: worker {slot.index} ended {when} ({how}); another one starts in {pause_s:g} s\n"
            )

    def _on_signal(self, number: int, _: FrameType | None) -> None:
        """May come between any two steps, also while a worker is being started: only noted, the loop acts on it."""
        if number != signal.SIGCHLD:
            self._asked_to_stop += 1

    def _stop(self) -> None:
        """The first time the workers drain. The second time they end at once (safe: guarantees M5).

        Not by a second SIGTERM: a service manager may signal every process of the group, and then each worker has got
        two although nobody is in a hurry.
        """
        self._stopping += 1
        self._reserved.close()  # a successor may have the port as soon as the workers have stopped listening
        for slot in self._slots:
            slot.restart_at = NEVER
            if slot.process and self._stopping == 1:
                slot.process.send_signal(signal.SIGTERM)
            elif slot.process:
                slot.process.send_signal(signal.SIGKILL)
