"""The origin of the benchmark: canned answers, and streams whose chunks leave on one shared tick, unless they are slow.

`python bench/origin.py PORT`. A streaming request names its shape in its query, `?chunks=N&interval_ms=M`; without one
it is `DEFAULT_CHUNKS` every `DEFAULT_INTERVAL_MS`. Chunks carry the instant they were written.
"""

import asyncio
import sys
import time
from urllib.parse import parse_qs

import httptools
import uvloop

DEFAULT_CHUNKS = 100
DEFAULT_INTERVAL_MS = 5
OWN_TICK_MS = 1_000  # from here on each stream has its own: thousands at once would be one burst after long silence

USAGE = b'"usage":{"prompt_tokens":120,"completion_tokens":100,"total_tokens":220,"cost":0.00078}'
ANSWER_BODY = (
    b'{"id":"gen-bench","object":"chat.completion","created":1790000000,"model":"bench/model","provider":"Bench",'
    b'"choices":[{"index":0,"message":{"role":"assistant","content":"'
    + b"x" * 800
    + b'"},"finish_reason":"stop"}],'
    + USAGE
    + b"}"
)
ANSWER = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%b" % (
    len(ANSWER_BODY),
    ANSWER_BODY,
)
STREAM_HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
EVENT = (
    b'data: {"id":"gen-bench","object":"chat.completion.chunk","created":1790000000,"model":"bench/model",'
    b'"choices":[{"index":0,"delta":{"content":"%020d"},"finish_reason":null}]}\n\n'
)
LAST = (
    b'data: {"id":"gen-bench","object":"chat.completion.chunk","created":1790000000,"model":"bench/model",'
    b'"choices":[{"index":0,"delta":{},"finish_reason":"stop"}],' + USAGE + b"}\n\n"
)
DONE = b"data: [DONE]\n\n"


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


class Origin(asyncio.Protocol):
    """Answers every POST; a body with `"stream":true` gets a stream."""

    def __init__(self, ticks: "Ticks") -> None:
        self.ticks = ticks
        self.left = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport
        self.parser = httptools.HttpRequestParser(self)

    def connection_lost(self, _: Exception | None) -> None:
        self.ticks.drop(self)

    def data_received(self, data: bytes) -> None:
        self.parser.feed_data(data)

    def on_message_begin(self) -> None:
        self.url = b""
        self.body: list[bytes] = []

    def on_url(self, url: bytes) -> None:
        self.url += url

    def on_body(self, body: bytes) -> None:
        self.body.append(body)

    def on_message_complete(self) -> None:
        if not any(b'"stream":true' in part for part in self.body):
            self.transport.write(ANSWER)  # type: ignore[attr-defined]
            return
        query = parse_qs(self.url.partition(b"?")[2].decode())
        self.left = int(query.get("chunks", [DEFAULT_CHUNKS])[0])
        self.transport.write(STREAM_HEAD)  # type: ignore[attr-defined]
        self.tick()  # the first chunk does not wait
        self.ticks.add(self, int(query.get("interval_ms", [DEFAULT_INTERVAL_MS])[0]))

    def tick(self) -> bool:
        """Write one chunk; False when the stream has ended."""
        if self.left == 0:
            self.transport.write(chunk(LAST) + chunk(DONE) + b"0\r\n\r\n")  # type: ignore[attr-defined]
            return False
        self.left -= 1
        self.transport.write(chunk(EVENT % time.monotonic_ns()))  # type: ignore[attr-defined]
        return True


class Ticks:
    """One timer per short interval, not one per stream."""

    def __init__(self) -> None:
        self.by_interval: dict[int, set[Origin]] = {}

    def add(self, origin: Origin, interval_ms: int) -> None:
        if interval_ms >= OWN_TICK_MS:
            asyncio.get_running_loop().call_later(interval_ms / 1000, self.run_own, origin, interval_ms)
            return
        if interval_ms not in self.by_interval:
            self.by_interval[interval_ms] = set()
            self.schedule(interval_ms, asyncio.get_running_loop().time())
        self.by_interval[interval_ms].add(origin)

    def run_own(self, origin: Origin, interval_ms: int) -> None:
        if not origin.transport.is_closing() and origin.tick():
            self.add(origin, interval_ms)

    def drop(self, origin: Origin) -> None:
        for origins in self.by_interval.values():
            origins.discard(origin)

    def schedule(self, interval_ms: int, last: float) -> None:
        at = last + interval_ms / 1000
        asyncio.get_running_loop().call_at(at, self.run, interval_ms, at)

    def run(self, interval_ms: int, at: float) -> None:
        origins = self.by_interval[interval_ms]
        for origin in [one for one in origins if not one.tick()]:
            origins.discard(origin)
        self.schedule(interval_ms, max(at, asyncio.get_running_loop().time() - 1))


async def main(port: int) -> None:
    ticks = Ticks()
    server = await asyncio.get_running_loop().create_server(lambda: Origin(ticks), "127.0.0.1", port, backlog=4096)
    print("ready", flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(main(int(sys.argv[1])))
