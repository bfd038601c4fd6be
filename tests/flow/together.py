"""Many requests at the same moment, spread over one or more gateways."""

import asyncio
import json
from collections.abc import Mapping, Sequence

from flow.programs import Gateway


async def post_together(
    gateways: Sequence[Gateway], headers: Mapping[str, str], body: Mapping[str, object], count: int
) -> list[int]:
    """The status of each of `count` requests; the gateways take turns."""
    text = json.dumps(body).encode()
    return await asyncio.gather(*(_post(gateways[one % len(gateways)], headers, text) for one in range(count)))


async def _post(gateway: Gateway, headers: Mapping[str, str], body: bytes) -> int:
    """One request on a connection of its own."""
    reader, writer = await asyncio.open_connection(gateway.host, gateway.port)
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items()).encode()
    head = b"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
    writer.write(b"%b%bContent-Length: %d\r\n\r\n%b" % (head, lines, len(body), body))
    answer = await reader.read()
    writer.close()
    await writer.wait_closed()
    return int(answer.split(b" ", 2)[1])
