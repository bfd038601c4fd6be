import asyncio
from dataclasses import replace

import pytest

from tollway.upstream.webhook import Webhook
from unit.upstream.scripted import LOOPS, run, upstream
from unit.upstream.test_client import leading_to

CONTENT = b'{"id":"n1"}'


@pytest.mark.parametrize("loop", LOOPS)
@pytest.mark.parametrize(
    ("status", "why"),
    [(b"200 OK", ""), (b"202 Accepted", ""), (b"302 Found", "status 302"), (b"500 No", "status 500")],
)
def test_what_is_sent_and_what_is_made_of_the_answer(status: bytes, why: str, loop: str) -> None:
    heard: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heard.append(await reader.readuntil(b"\r\n\r\n"))
        heard.append(await reader.readexactly(len(CONTENT)))
        writer.write(b"HTTP/1.1 %b\r\nContent-Length: 0\r\n\r\n" % status)
        await writer.drain()

    async def scenario() -> None:
        async with upstream(serve) as up:
            client, to = leading_to(up)
            hook = Webhook(client, replace(to, head=(b"POST /hook", b" HTTP/1.1\r\nHost: x\r\n")))
            assert await hook(CONTENT) == why
            client.close()

    run(scenario(), loop)
    assert heard == [b"POST /hook HTTP/1.1\r\nHost: x\r\nContent-Length: 11\r\n\r\n", CONTENT]


def test_nobody_listens() -> None:
    async def scenario() -> None:
        async with upstream(lambda *_: asyncio.sleep(0)) as up:
            client, to = leading_to(up)
        assert "connect" in await Webhook(client, to)(CONTENT)
        client.close()

    run(scenario())
