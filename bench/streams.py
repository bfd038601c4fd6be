"""Load for streams and for latency: raw protocols on uvloop, so that the load costs less than what it measures.

`python bench/streams.py streams HOST PORT HEADERS_JSON STREAMS CHUNKS INTERVAL_MS`, the same with `idle`, and
`python bench/streams.py latency HOST PORT HEADERS_JSON RATE SECONDS` print one JSON object.
"""

import asyncio
import json
import sys
import time
from typing import Any

import uvloop

BODY = {"model": "bench/model", "messages": [{"role": "user", "content": "Say something. " * 30}]}


def request(headers: dict[str, str], body: dict[str, Any], query: str = "") -> bytes:
    text = json.dumps(body, separators=(",", ":")).encode()
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    head = (
        f"POST /v1/chat/completions{query} HTTP/1.1\r\nHost: bench\r\nContent-Type: application/json\r\n"
        f"{lines}Content-Length: {len(text)}\r\n\r\n"
    )
    return head.encode() + text


def percentiles(values: list[float]) -> dict[str, float]:
    values = sorted(values)
    if not values:
        return {"p50": -1.0, "p99": -1.0, "max": -1.0}
    return {"p50": values[len(values) // 2], "p99": values[int(len(values) * 0.99)], "max": values[-1]}


class Stream(asyncio.Protocol):
    """One streaming request; counts chunks by their `data:` lines."""

    def __init__(self, data: bytes, done: "asyncio.Future[None]") -> None:
        self.data = data
        self.done = done
        self.first_s = -1.0
        self.chunks = 0
        self.transits_us: list[float] = []
        self.tail = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport

    def start(self) -> None:
        self.started = time.monotonic()
        self.transport.write(self.data)  # type: ignore[attr-defined]

    def data_received(self, data: bytes) -> None:
        count = data.count(b'"delta":{"content"')
        if count:
            now = time.monotonic_ns()
            if self.chunks == 0:
                self.first_s = time.monotonic() - self.started
            self.chunks += count
            at = data.find(b'"content":"') + 11
            if at + 20 <= len(data):
                self.transits_us.append((now - int(data[at : at + 20])) / 1000)
        self.tail = (self.tail + data)[-64:]
        if b"[DONE]" in self.tail and self.tail.endswith(b"0\r\n\r\n") and not self.done.done():
            self.done.set_result(None)

    def connection_lost(self, _: Exception | None) -> None:
        if not self.done.done():
            self.done.set_exception(ConnectionError("the stream broke"))


async def streams(
    host: str, port: int, headers: dict[str, str], count: int, chunks: int, interval_ms: int
) -> dict[str, Any]:
    loop = asyncio.get_running_loop()
    data = request(headers, {**BODY, "stream": True}, f"?chunks={chunks}&interval_ms={interval_ms}")
    waiting = [loop.create_future() for _ in range(count)]
    open_streams = []
    for done in waiting:
        _, stream = await loop.create_connection(lambda done=done: Stream(data, done), host, port)
        open_streams.append(stream)
    for place, stream in enumerate(open_streams):
        loop.call_later(place / count * interval_ms / 1000, stream.start)
    await asyncio.gather(*waiting)
    for stream in open_streams:
        stream.transport.close()
    return {
        "chunks": sum(stream.chunks for stream in open_streams),
        "expected": count * chunks,
        "answered": count,
        "first_ms": percentiles([stream.first_s * 1000 for stream in open_streams]),
        "transit_us": percentiles([value for stream in open_streams for value in stream.transits_us]),
    }


async def idle(
    host: str, port: int, headers: dict[str, str], count: int, chunks: int, interval_ms: int
) -> dict[str, Any]:
    """Streams that begin evenly over one interval, each as soon as it is connected; those that break are counted.

    Prints a line `open` once all of them have begun.
    """
    loop = asyncio.get_running_loop()
    data = request(headers, {**BODY, "stream": True}, f"?chunks={chunks}&interval_ms={interval_ms}")
    waiting: list[asyncio.Future[None]] = []
    open_streams = []
    begun = time.monotonic()
    for place in range(count):
        await asyncio.sleep(max(0.0, begun + place / count * interval_ms / 1000 - time.monotonic()))
        done: asyncio.Future[None] = loop.create_future()
        _, stream = await loop.create_connection(lambda done=done: Stream(data, done), host, port)
        stream.start()
        waiting.append(done)
        open_streams.append(stream)
    print("open", flush=True)
    ended = await asyncio.gather(*waiting, return_exceptions=True)
    for stream in open_streams:
        stream.transport.close()
    return {
        "chunks": sum(stream.chunks for stream in open_streams),
        "expected": count * chunks,
        "answered": sum(one is None for one in ended),
        "broken": sum(one is not None for one in ended),
        "first_ms": percentiles([stream.first_s * 1000 for stream in open_streams if stream.first_s >= 0]),
    }


class Single(asyncio.Protocol):
    """A keep-alive connection for one request at a time."""

    def __init__(self) -> None:
        self.waiting: asyncio.Future[None] | None = None
        self.got = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        if self.waiting and data.endswith(b"}"):
            self.waiting.set_result(None)
            self.waiting = None

    def connection_lost(self, _: Exception | None) -> None:
        if self.waiting:
            self.waiting.set_exception(ConnectionError("the connection broke"))


async def latency(host: str, port: int, headers: dict[str, str], rate: int, seconds: int) -> dict[str, Any]:
    loop = asyncio.get_running_loop()
    data = request(headers, BODY)
    idle: list[Single] = []
    taken: list[float] = []

    async def one(at: float) -> None:
        while idle and idle[-1].transport.is_closing():  # kept for longer than the server keeps it
            idle.pop()
        connection = idle.pop() if idle else (await loop.create_connection(Single, host, port))[1]
        connection.waiting = loop.create_future()
        done = connection.waiting
        connection.transport.write(data)  # type: ignore[attr-defined]
        await done
        taken.append((time.monotonic() - at) * 1000)
        idle.append(connection)

    tasks = []
    start = time.monotonic() + 0.1  # uvloop's own clock counts whole milliseconds
    for number in range(rate * seconds):
        at = start + number / rate
        if (wait := at - time.monotonic()) > 0:
            await asyncio.sleep(wait)
        tasks.append(loop.create_task(one(at)))
    await asyncio.gather(*tasks)
    return {"answered": len(taken), **percentiles(taken[len(taken) // 10 :])}


async def main(arguments: list[str]) -> None:
    kind, host, port, headers, *numbers = arguments
    measure = {"streams": streams, "idle": idle, "latency": latency}[kind]
    print(json.dumps(await measure(host, int(port), json.loads(headers), *map(int, numbers))))


if __name__ == "__main__":
    uvloop.run(main(sys.argv[1:]))
