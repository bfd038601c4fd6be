"""Asks a gateway for its list of models, from a developer's machine: within ten seconds in all, and so many bytes.

Redirects are not followed and nothing a gateway does raises. Source: catalog-and-clients C.1, C.2.
"""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

from tollway.call_defaults import CallLimits, CallTimeouts
from tollway.catalog.client_listing import BODY_BYTES_MAX
from tollway.client.endpoint import endpoint_of
from tollway.client.gateways import Gateway
from tollway.client.model_lists import ListAnswer
from tollway.deadlines import Deadlines
from tollway.gateway.upstream_port import Failure
from tollway.upstream.client import HttpUpstreams
from tollway.upstream.fetch import fetch


class ListAsker:
    """Implements AskForList over connections of its own."""

    def __init__(self, client: HttpUpstreams) -> None:
        self._client = client

    async def __call__(self, gateway: Gateway, without_key: bool) -> ListAnswer:
        endpoint = endpoint_of(gateway, without_key=without_key)
        try:
            async with asyncio.timeout(gateway.timeout_s):
                answer = await fetch(self._client, endpoint.upstream, endpoint.list_head, body_bytes_max=BODY_BYTES_MAX)
        except TimeoutError:
            return ListAnswer(0)
        return ListAnswer(0) if isinstance(answer, Failure) else ListAnswer(*answer)


@contextmanager
def open_client() -> Iterator[HttpUpstreams]:
    """Connections for as long as a command runs, on the loop that runs it."""
    deadlines = Deadlines()
    client = HttpUpstreams(deadlines, CallLimits(), CallTimeouts())
    deadlines.start(asyncio.get_running_loop())
    try:
        yield client
    finally:
        deadlines.stop()
        client.close()
