"""Connections to one origin: kept, counted, bounded. The cost of taking one does not grow with how many are idle."""

import asyncio
import errno
import ssl
from collections.abc import Callable, Sequence
from functools import cache
from typing import TYPE_CHECKING, Final, TypeAlias

from tollway.deadlines import Deadlines
from tollway.gateway.upstream_port import Failure, FailureKind
from tollway.providers.registry import Origin
from tollway.upstream.bounds import AnyLimits, AnyTimeouts
from tollway.upstream.connection import Connection
from tollway.upstream.resolver import Resolve, resolve

if TYPE_CHECKING:
    from tollway.upstream.guard import Refused


# The addresses to connect to among those that were resolved, or why none of them is called.
Check: TypeAlias = "Callable[[str, int, Sequence[str]], tuple[str, ...] | Refused]"
OnFull: TypeAlias = Callable[[str], object]

_NO_FILES: Final = frozenset({errno.EMFILE, errno.ENFILE})


def nobody_counts(_: str) -> None:
    """Where there are no metrics."""


class Pool:
    """Last in, first out, so that the warmest connection is used and the rest can age away.

    `idle_max`: how many may be idle; None: as many as the limits say.
    `on_full` hears the name of the bound that a request has met.
    `check` looks at what the origin's name resolves to, before every connection; None: whoever names it is trusted.
    """

    def __init__(
        self,
        origin: Origin,
        deadlines: Deadlines,
        limits: AnyLimits,
        timeouts: AnyTimeouts,
        check: "Check | None" = None,
        resolve: Resolve = resolve,
        idle_max: int | None = None,
        on_full: OnFull = nobody_counts,
    ) -> None:
        self.origin = origin
        self._check = check
        self._resolve = resolve
        self._on_full = on_full
        self._deadlines = deadlines
        self._limits = limits
        self._timeouts = timeouts
        self._idle_max = limits.upstream_idle if idle_max is None else idle_max
        self._idle: list[Connection] = []
        self._open: set[Connection] = set()
        self._connecting = 0
        self._closed = False
        self._tls = _tls_context(origin)

    @property
    def open(self) -> int:
        """Connections in use, idle, or being made."""
        return len(self._open) + self._connecting

    @property
    def connecting(self) -> int:
        return self._connecting

    @property
    def idle(self) -> int:
        return len(self._idle)

    def take_idle(self) -> Connection | None:
        """A kept connection that is still open, or None."""
        while self._idle:
            connection = self._idle.pop()
            if connection.is_open:
                connection.reused = True
                return connection
        return None

    async def connect(self) -> Connection | Failure:
        """A new connection, within the time-outs; a Failure says why not."""
        if self.open >= self._limits.upstream_in_flight:
            return self._full("upstream_in_flight")
        if self._connecting >= self._limits.upstream_connecting:
            return self._full("upstream_connecting")
        self._connecting += 1
        try:
            made = await self._connect()
            if isinstance(made, Failure):
                return made
            if not made.is_open:  # accepted, and ended before we came to it
                return self._failure(FailureKind.CONNECT, ConnectionResetError())
            self._open.add(made)
            return made
        finally:
            self._connecting -= 1

    def _full(self, bound: str) -> Failure:
        self._on_full(bound)
        return Failure(FailureKind.SATURATED, f"{self.origin.authority}: {bound}", False)

    async def _connect(self) -> Connection | Failure:
        origin, timeouts = self.origin, self._timeouts
        try:
            async with asyncio.timeout(timeouts.resolve_s):
                resolved = await self._resolve(origin.host, origin.port)
        except (OSError, UnicodeError) as error:  # TimeoutError is one
            return self._failure(FailureKind.RESOLVE, error)
        found = self._check(origin.host, origin.port, resolved) if self._check else tuple(resolved)
        if not isinstance(found, tuple):
            from tollway.observability.logs import get_log  # lazy: commands load this file, and no address is refused

            get_log().warning("upstream_address_refused", host=origin.host, port=origin.port, why=found.reason)
            return Failure(FailureKind.REFUSED, f"{origin.authority}: {found.reason}", False)
        last: Exception = OSError("no address")
        try:
            async with asyncio.timeout(timeouts.connect_s):
                for address in found:
                    try:
                        return await self._connect_to(address)
                    except OSError as error:  # a TLS failure is one, too
                        last = error
        except TimeoutError as error:
            last = error
        return self._failure(FailureKind.CONNECT, last)

    def _failure(self, kind: FailureKind, error: Exception) -> Failure:
        if isinstance(error, OSError) and error.errno in _NO_FILES:  # ours: no upstream has a part in it
            return self._full("open_files")
        if isinstance(error, TimeoutError):
            kind = FailureKind.TIMEOUT
        return Failure(kind, f"{self.origin.authority}: {type(error).__name__}", False)

    async def _connect_to(self, address: str) -> Connection:
        loop = asyncio.get_running_loop()
        _, connection = await loop.create_connection(
            self._new_connection,
            address,
            self.origin.port,
            ssl=self._tls,
            server_hostname=self.origin.host if self._tls else None,
        )
        return connection

    def _new_connection(self) -> Connection:
        return Connection(self._deadlines, self._limits, self.keep, self._open.discard)

    def keep(self, connection: Connection) -> None:
        """Take back a connection that may serve again."""
        if self._closed or len(self._idle) >= self._idle_max:
            connection.close()
            return
        connection.deadline = self._deadlines.now() + self._timeouts.upstream_idle_s
        self._idle.append(connection)

    def close(self) -> None:
        """Close what is idle now and whatever comes back later."""
        self._closed = True
        while self._idle:
            self._idle.pop().close()


def _tls_context(origin: Origin) -> ssl.SSLContext | None:
    return _trusting(origin.ca_file) if origin.scheme == "https" else None


@cache  # by the files that the operator names: reading the authorities takes milliseconds and megabytes
def _trusting(ca_file: str | None) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=ca_file)
    context.set_alpn_protocols(["http/1.1"])
    return context
