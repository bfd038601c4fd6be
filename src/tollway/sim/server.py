"""Start the stand-in in a running event loop."""

import asyncio
import ssl
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Final

from tollway.sim.connection import Connection
from tollway.sim.options import SimOptions
from tollway.sim.record import AnswerRecord, Record
from tollway.sim.recorder import Recorder
from tollway.sim.service import Service

_BACKLOG: Final = 4096


@dataclass(frozen=True, slots=True)
class RunningSim:
    """A listening stand-in. `failed` is set if its record can no longer be kept."""

    port: int
    origin: str
    certificate_authority: Path | None
    failed: asyncio.Future[None]
    _recorder: Recorder
    _server: asyncio.Server
    _connections: set[Connection] = field(repr=False)

    @property
    def base_url(self) -> str:
        """What a client of OpenRouter is configured with."""
        return f"{self.origin}/api/v1"

    def records(self) -> list[Record]:
        """All records kept in memory, oldest first."""
        return self._recorder.records()

    async def wait_for_answers(self, count: int = 1) -> list[AnswerRecord]:
        """The answers recorded so far, once there are at least so many."""
        while len(found := [record for record in self.records() if isinstance(record, AnswerRecord)]) < count:
            await self._recorder.wait_for_next()
        return found

    async def stop(self) -> None:
        """Drop every connection, then write what is left of the record."""
        self._server.close()
        connections = tuple(self._connections)
        for connection in connections:
            connection.abort()
        await asyncio.gather(*(connection.lost.wait() for connection in connections))
        await self._server.wait_closed()
        await asyncio.get_running_loop().run_in_executor(None, self._recorder.close)
        self.failed.cancel()


async def start_sim(options: SimOptions) -> RunningSim:
    """Listen; returns once requests are served."""
    loop = asyncio.get_running_loop()
    failed = loop.create_future()
    recorder = Recorder(options.record_path, loop, failed.set_exception)
    service = Service(options, recorder)
    connections: set[Connection] = set()
    numbers = count(1)
    context, authority = _make_tls_context(options) if options.tls else (None, None)
    server = await loop.create_server(
        lambda: Connection(service, loop, connections, next(numbers)),
        options.host,
        options.port,
        ssl=context,
        backlog=_BACKLOG,
    )
    port = server.sockets[0].getsockname()[1]
    host = f"[{options.host}]" if ":" in options.host else options.host
    origin = f"{'https' if options.tls else 'http'}://{host}:{port}"
    return RunningSim(port, origin, authority, failed, recorder, server, connections)


def _make_tls_context(options: SimOptions) -> tuple[ssl.SSLContext, Path]:
    from tollway.sim.certificate import make_certificates  # lazy: slow to import, and seldom needed

    certificates = make_certificates(options.certificate_dir, options.now())
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificates.chain, certificates.key)
    return context, certificates.authority
