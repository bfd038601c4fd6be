"""Microseconds of our own code per request: the bare road and the full gateway in one process, in turns.

`python bench/inside.py [--profile]`. Transports are stand-ins that keep what is written; journal and SQLite are real.
What is counted is the processor time of the event loop's thread, so neither system calls on sockets nor the disk. The
least of many rounds is shown, since whatever else runs here only ever adds. A profile tells who calls whom; its own
figures are inflated.
"""

import argparse
import asyncio
import cProfile
import gc
import json
import pstats
import shutil
import tempfile
import time
from pathlib import Path
from typing import Any

import bare
import run
import uvloop
from origin import ANSWER_BODY

from tollway.app import Worker, open_worker
from tollway.http.edge import Edge
from tollway.http.protocol import GatewayProtocol
from tollway.settings import load
from tollway.storage.migrations.run import migrate
from tollway.upstream.client import HttpUpstreams

CONNECTIONS = 64
SETTLED_TOGETHER = 7  # rounds
WAIT_S = 0.002  # for the journal's sync
ORIGIN_PORT = 1  # nobody listens there, and nobody has to
MESSAGES: list[dict[str, str]] = [{"role": "user", "content": "x" * (run.LITTLE - 80)}]
BODY = json.dumps({"model": "bench/model", "messages": MESSAGES}).encode()
ANSWER = (
    b"HTTP/1.1 200 OK\r\nServer: nginx/1.22.1\r\nDate: Thu, 26 Nov 2026 07:19:33 GMT\r\n"
    b"Content-Type: application/json\r\nContent-Length: %d\r\nConnection: keep-alive\r\n\r\n%b"
) % (len(ANSWER_BODY), ANSWER_BODY)


class Transport:
    """Keeps what is written."""

    def __init__(self) -> None:
        self.out: list[bytes] = []
        self.write = self.out.append
        self.writelines = self.out.extend

    def set_write_buffer_limits(self, **_: int) -> None: ...

    def get_write_buffer_size(self) -> int:
        return 0

    def is_closing(self) -> bool:
        return False

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return ("127.0.0.1", 5) if "name" in name else default

    def pause_reading(self) -> None: ...

    def resume_reading(self) -> None: ...

    def abort(self) -> None:
        raise AssertionError("a connection was broken off")

    close = abort


class ServerState:
    """What a connection wants to know of uvicorn."""

    def __init__(self) -> None:
        self.connections: set[Any] = set()
        self.total_requests = 0


class Stack:
    """Clients in front of one edge, and kept upstream connections behind it."""

    def __init__(self, edge: Edge, client: HttpUpstreams, upstream: Any, authorization: str) -> None:
        self.request = (
            f"POST /v1/chat/completions HTTP/1.1\r\nHost: 127.0.0.1:18111\r\nContent-Type: application/json\r\n"
            f"Authorization: Bearer {authorization}\r\nContent-Length: {len(BODY)}\r\n\r\n"
        ).encode() + BODY
        self.best_us = float("inf")
        self.clients: list[tuple[Any, Transport]] = []
        self.upstreams: list[tuple[Any, Transport]] = []
        pool = client._pool_of(upstream)
        config: Any = None  # for the control plane only
        for _ in range(CONNECTIONS):
            one: Any = GatewayProtocol(edge, config, ServerState(), {})
            behind: Any = pool._new_connection()
            self.clients.append((one, Transport()))
            self.upstreams.append((behind, Transport()))
            one.connection_made(self.clients[-1][1])
            behind.connection_made(self.upstreams[-1][1])
            pool._open.add(behind)
            pool.keep(behind)

    async def round(self) -> None:
        """One request of each client, answered."""
        for client, _ in self.clients:
            client.data_received(self.request)
        while not all(transport.out for _, transport in self.clients):
            busy = [upstream for upstream, _ in self.upstreams if upstream._sink is not None]
            for upstream in busy:
                upstream.data_received(ANSWER)
            if not busy:
                await asyncio.sleep(WAIT_S)
        for _, transport in self.clients:
            assert transport.out[0].startswith(b"HTTP/1.1 200"), transport.out
            transport.out.clear()
        for _, transport in self.upstreams:
            transport.out.clear()

    async def measure(self) -> None:
        begun = time.thread_time()
        await self.round()
        self.best_us = min(self.best_us, (time.thread_time() - begun) * 1e6 / CONNECTIONS)


async def _open_full(folder: Path) -> tuple[Worker, str]:
    """A worker as it is when it serves, without its background work, and a customer's key."""
    config = folder / "tollway.toml"
    config.write_text(run._TOML.format(port=18999, folder=folder, origin=ORIGIN_PORT))
    settings = load(config, environ={})
    migrate(settings.database_url)
    key = await run._customer(config)
    worker = await open_worker(settings)
    worker._log._write = len  # to nowhere
    await worker.services.authenticator.refresh()
    await worker._books.enlist(worker._worker_id, "bench")
    await worker.services.funds.report()
    return worker, key


async def main(folder: Path, rounds: int, profile: bool) -> None:
    road = bare.build(ORIGIN_PORT, asyncio.get_running_loop())
    plain = Stack(road.edge, road.client, road.upstream, "tw_live_" + "0" * 36)
    worker, key = await _open_full(folder)
    full = Stack(worker.edge, worker._client, worker.services.upstreams["bench"], key)
    for stack in (plain, full):  # leases, connections and caches
        await stack.round()
    await worker._settlement.settle()
    gc.collect()
    gc.freeze()
    gc.set_threshold(100_000, 50, 100)
    profiler, settling_us = cProfile.Profile(), float("inf")
    for _ in range(rounds // SETTLED_TOGETHER):
        await worker.services.authenticator.refresh()
        for _ in range(SETTLED_TOGETHER):
            await plain.measure()
            if profile:
                profiler.enable()
            await full.measure()
            profiler.disable()
        begun = time.process_time()
        await worker._settlement.settle()
        settling_us = min(settling_us, (time.process_time() - begun) * 1e6 / (SETTLED_TOGETHER * CONNECTIONS))
    worker._log.flush()
    if profile:
        pstats.Stats(profiler).sort_stats("tottime").print_stats(50)
    print(
        f"µs per request: bare {plain.best_us:.1f}, full {full.best_us:.1f}, "
        f"full - bare {full.best_us - plain.best_us:.1f}, settlement {settling_us:.1f}"
    )
    await worker._end_money()
    await worker._database.close()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=200)
    parser.add_argument("--profile", action="store_true")
    options = parser.parse_args()
    home = Path(tempfile.mkdtemp(prefix="tollway-inside-"))
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(main(home, options.rounds, options.profile))
    finally:
        shutil.rmtree(home)
