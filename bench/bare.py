"""The bare road: Tollway's protocol class, relay and upstream client with no gateway work between them.

`python bench/bare.py PORT ORIGIN_PORT`. What `full` costs above this is what all our promises cost.
"""

import asyncio
import gc
import sys
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import uvloop

from tollway.catalog.model import ZERO, Offer, Price
from tollway.deadlines import Deadlines
from tollway.gateway.drains import Drains
from tollway.gateway.exchange import Inbound
from tollway.gateway.open_relays import OpenRelays
from tollway.gateway.relay import Relay
from tollway.gateway.upstream_port import Failure
from tollway.http.client_address import ClientAddresses
from tollway.http.edge import Edge
from tollway.http.listener import open_listener
from tollway.http.server import WorkerServer
from tollway.money import Microdollars
from tollway.observability.metrics import Metrics
from tollway.providers.registry import Upstream, configured
from tollway.routing.plan import Candidate
from tollway.settings import parse
from tollway.steps import Later
from tollway.upstream.client import HttpUpstreams


@dataclass
class Road:
    edge: Edge
    client: HttpUpstreams
    upstream: Upstream


def build(origin_port: int, loop: asyncio.AbstractEventLoop) -> Road:
    provider = {"kind": "compatible", "base_url": f"http://127.0.0.1:{origin_port}/v1", "api_key": "sk-bench"}
    limits = {"upstream_in_flight": 5000, "upstream_connecting": 2000}  # a thousand streams start at once
    settings = parse({"providers": {"bench": provider}, "limits": limits})
    deadlines, metrics = Deadlines(), Metrics()
    drains = Drains(100, metrics.drains.set)
    client = HttpUpstreams(deadlines, settings.limits, settings.timeouts)
    upstream = configured(settings)["bench"]
    client.prepare(upstream)
    price = Price("bench", datetime(2026, 1, 1, tzinfo=UTC), ZERO, ZERO)
    candidate = Candidate(upstream, Offer("bench", "bench/model", price), Microdollars(0))
    before, after = upstream.head

    def nothing_to_note(_: Any, _is_much: bool) -> None: ...

    async def handle(inbound: Inbound, waiting: Any) -> None:
        relay = Relay(
            waiting,
            candidate,
            deadlines,
            settings.limits,
            settings.timeouts,
            drains,
            b"",
            Later(loop=loop),
            nothing_to_note,
        )
        head = b"%b%b%bContent-Length: %d\r\n\r\n" % (before, inbound.query, after, len(inbound.body))
        kept = client.send_kept(upstream, head, inbound.body, relay, 600)
        sent = kept or await client.send_fresh(upstream, head, inbound.body, relay, 600)
        assert not isinstance(sent, Failure), sent
        relay.attach(sent)
        reply = await relay.finished
        if reply.streamed:
            waiting.finish_stream(reply.ending)
        else:
            waiting.answer(reply.status, b"content-type: application/json\r\n", reply.body)

    peer_of = ClientAddresses((), "", settings.rate_limit_ipv6_prefix).peer
    edge = Edge(settings.limits, settings.timeouts, deadlines, metrics, handle, peer_of, loop)
    return Road(edge, client, upstream)


async def main(port: int, origin_port: int) -> None:
    edge = build(origin_port, asyncio.get_running_loop()).edge

    async def nothing(_scope: Any, _receive: Any, _send: Any) -> None: ...

    gc.collect()
    gc.freeze()
    gc.set_threshold(100_000, 50, 100)
    server = WorkerServer(edge, OpenRelays(lambda _: None), nothing, open_listener("127.0.0.1", port))
    await server.serve(lambda: print("ready", flush=True))


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main(int(sys.argv[1]), int(sys.argv[2])))
