"""One question to a gateway's account routes, from a developer's machine: ten seconds in all, a mebibyte at most."""

import asyncio
from typing import Final

from tollway.client.endpoint import request_head
from tollway.client.gateways import Gateway
from tollway.gateway.upstream_port import Failure
from tollway.upstream.client import HttpUpstreams
from tollway.upstream.fetch import fetch

ANSWER_S: Final = 10.0


async def ask(
    client: HttpUpstreams, gateway: Gateway, root: str, method: str, path: str, token: str = ""
) -> tuple[int, bytes]:
    """Status and body; status 0: nothing came. `root` is an address without a path. Redirects are not followed."""
    upstream, head = request_head(gateway, root, method, path, token)
    try:
        async with asyncio.timeout(ANSWER_S):
            answer = await fetch(client, upstream, head)
    except TimeoutError:
        return 0, b""
    return (0, b"") if isinstance(answer, Failure) else answer
