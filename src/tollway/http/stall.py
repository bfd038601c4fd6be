"""A client that is behind: does it still take something? Asked a few times per time-out, so a chunk costs nothing."""

import asyncio
import fcntl
import struct
import termios


class Stall:
    """What waited for the client when last looked at, and when it last took some of that. Pure."""

    def __init__(self) -> None:
        self._unsent = 0
        self._taken_at = 0.0

    def begin(self, now: float) -> None:
        """From now on the client is behind; how much it owes is seen at the next look."""
        self._unsent = 0
        self._taken_at = now

    def forget(self) -> None:
        """All that waited was taken."""
        self._taken_at = 0.0

    def look(self, now: float, unsent: int) -> float:
        """For how many seconds nothing of what waits was taken. More to send is neither a good sign nor a bad one."""
        if not self._taken_at or unsent < self._unsent:
            self._taken_at = now
        self._unsent = unsent
        return now - self._taken_at


def unsent_bytes(transport: asyncio.Transport) -> int:
    """What the client has not acknowledged yet, in our buffer and in the system's.

    The system takes megabytes at a time once a third of its buffer is free; only its own count moves for a slow reader.
    """
    ours = transport.get_write_buffer_size()
    connection = transport.get_extra_info("socket")
    if connection is None:
        return ours
    queued: int = struct.unpack("i", fcntl.ioctl(connection.fileno(), termios.TIOCOUTQ, b"\0\0\0\0"))[0]
    return ours + queued
