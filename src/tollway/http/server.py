"""Serve one listener with uvicorn until told to stop; then let what is under way end, within bounds (guarantees §7)."""

import asyncio
import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any, Final, cast

from starlette.types import ASGIApp
from uvicorn import Config, Server

from tollway.gateway.open_relays import OpenRelays
from tollway.http.edge import Edge
from tollway.http.open_files import open_files
from tollway.http.protocol import GatewayProtocol
from tollway.limits.files import backlog
from tollway.observability.logs import get_log

_log = get_log()
_AFTER_CUT_S: Final = 8.0
_CUT_AGAIN_S: Final = 0.5


class _Server(Server):
    """uvicorn's server with our signals: its own would end the process with the signal instead of exit code 0."""

    on_started: Callable[[], None]

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if not self.should_exit:
            self.on_started()


class WorkerServer:
    """One worker's server. `stop` begins the drain; asking again changes nothing, since a signal to a whole group of
    processes comes here twice. Whoever cannot wait kills the process (safe: guarantees M5)."""

    def __init__(self, edge: Edge, relays: OpenRelays, api: ASGIApp, listener: socket.socket) -> None:
        self._edge = edge
        self._relays = relays
        self._listener = listener
        self._ends_at = 0.0  # monotonic seconds, set by `stop`
        config = Config(
            app=cast("Any", api),
            interface="asgi3",
            http=cast("Any", partial(GatewayProtocol, edge)),
            loop="none",
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,
            backlog=backlog(open_files()),
            timeout_graceful_shutdown=int(edge.timeouts.shutdown_s + _AFTER_CUT_S),
        )
        self._server = _Server(config)

    async def serve(self, on_ready: Callable[[], None]) -> None:
        """Serve until `stop`, then drain."""
        loop = asyncio.get_running_loop()
        for name in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(name, self.stop)
        self._edge.deadlines.start(loop)
        self._server.on_started = on_ready
        try:
            await self._server.serve(sockets=[self._listener])
            left = await self._edge.idle(max(1.0, self._ends_at - self._edge.deadlines.now()))
            if left:
                _log.error("requests_cut", requests=left)
        finally:
            self._edge.deadlines.stop()

    def stop(self) -> None:
        if self._edge.draining:
            return
        self._edge.draining = True
        self._server.should_exit = True
        shutdown_s = self._edge.timeouts.shutdown_s
        self._ends_at = self._edge.deadlines.now() + shutdown_s + _AFTER_CUT_S
        asyncio.get_running_loop().call_later(shutdown_s, self._cut)
        _log.info("draining", in_flight=self._edge.in_flight)

    def _cut(self) -> None:
        """Time is up: streams that still run get their error event and are settled; one that only begins now, too."""
        cut = self._relays.shut_down()
        if cut:
            _log.warning("streams_cut", streams=cut)
        asyncio.get_running_loop().call_later(_CUT_AGAIN_S, self._cut)
