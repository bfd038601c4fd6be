"""Play the steps of one answer on a transport: batches, pauses, back-pressure, and the ways to leave.

No task and no queue: callbacks only. What is sent between two pauses is one write; a writer that must stop (the client
reads too slowly) simply stops asking for steps, so that nothing is generated that nobody takes.
"""

import os
import socket
import struct
from asyncio import AbstractEventLoop, TimerHandle, Transport
from asyncio import Handle as SoonHandle
from collections.abc import Callable, Iterator
from typing import Final

from tollway.sim.recorder import Recorder
from tollway.sim.steps import Ended, Leave, Send, Step, Wait
from tollway.sim.turn import Turn

_BATCH_BYTES: Final = 65_536
_LINGER_ZERO: Final = struct.pack("ii", 1, 0)


class Player:
    """Plays steps until one of them leaves. `finished` is called when the connection may serve its next request."""

    def __init__(
        self,
        transport: Transport,
        loop: AbstractEventLoop,
        steps: Iterator[Step],
        turn: Turn,
        recorder: Recorder,
        now: Callable[[], float],
        finished: Callable[[], None],
        sync: bool = False,
    ) -> None:
        self._transport, self._loop, self._steps = transport, loop, steps
        self._turn, self._recorder, self._now, self._finished = turn, recorder, now, finished
        self._sync = sync
        self._paused = self._blocked = False
        self._scheduled: SoonHandle | TimerHandle | None = None

    def play(self) -> None:
        """Take steps until there is something to wait for."""
        self._scheduled = None
        if self._paused or self._blocked:
            return
        turn = self._turn
        batch: list[bytes] = []
        batch_bytes = 0
        for step in self._steps:
            if type(step) is Send:
                batch.append(step.data)
                batch_bytes += len(step.data)
                turn.sent_anything = True
                turn.completion_tokens += step.completion_tokens
                turn.reasoning_tokens += step.reasoning_tokens
                if step.reported_usage is not None:
                    turn.reported_usage = step.reported_usage
                if batch_bytes >= _BATCH_BYTES:
                    self._write(batch)
                    self._schedule(0)
                    return
            elif type(step) is Wait:
                self._write(batch)
                self._schedule(step.delay_ms)
                return
            elif type(step) is Ended:
                record = turn.end(step.ending, self._now())
                if self._sync:
                    self._write(batch)
                    self._blocked = True
                    self._recorder.add(record, self._unblock)
                    return
                self._recorder.add(record)
            elif isinstance(step, Leave):
                self._write(batch)
                self._leave(step)
                return

    def pause(self) -> None:
        """The transport's buffer is full."""
        self._paused = True

    def resume(self) -> None:
        """The transport's buffer has room again."""
        self._paused = False
        if self._scheduled is None and not self._blocked:
            self._schedule(0)

    def stop(self, ending: str) -> None:
        """The connection is gone; record what was sent unless that is done."""
        if self._scheduled is not None:
            self._scheduled.cancel()
        self._steps = iter(())
        if not self._turn.ended:
            self._recorder.add(self._turn.end(ending, self._now()))

    def _unblock(self) -> None:
        self._blocked = False
        self.play()

    def _schedule(self, delay_ms: float) -> None:
        if delay_ms:
            self._scheduled = self._loop.call_later(delay_ms / 1000, self.play)
        elif not self._paused:
            self._scheduled = self._loop.call_soon(self.play)

    def _write(self, batch: list[bytes]) -> None:
        if batch:
            if self._turn.sent_at is None:
                self._turn.sent_at = self._now()
            self._transport.write(b"".join(batch))

    def _leave(self, leave: Leave) -> None:
        self._steps = iter(())
        match leave:
            case Leave.KEEP_ALIVE:
                self._finished()
            case Leave.CLOSE:
                self._transport.close()
            case Leave.RESET:  # After the loop has passed on what was written: a reset would discard it.
                self._loop.call_soon(reset, self._transport)
            case Leave.HALF_CLOSE:
                self._loop.call_soon(_half_close, self._transport)
            case Leave.HOLD:
                pass


def reset(transport: Transport) -> None:
    """End the connection so that the peer sees it broken."""
    transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_ZERO)
    transport.abort()


def _half_close(transport: Transport) -> None:
    """Also below TLS, where a transport has no half-close."""
    with socket.socket(fileno=os.dup(transport.get_extra_info("socket").fileno())) as twin:
        twin.shutdown(socket.SHUT_WR)
