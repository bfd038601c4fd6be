"""What is sent to a service that the operator names, and what counts as having arrived."""

import asyncio

import pytest

from tollway.deadlines import Deadlines
from tollway.providers.registry import Origin
from tollway.settings import Limits, SettingsError, Timeouts
from tollway.upstream.client import HttpUpstreams
from tollway.upstream.post import Receiver, post, receiver_of
from unit.gateway.fakes import Clock
from unit.upstream.scripted import LOOPS, Serve, Upstream, run, says, upstream

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
NOTHING = b"HTTP/1.1 204 No Content\r\n\r\n"


def leading_to(up: Upstream, path: str = "/hook?a=b") -> tuple[HttpUpstreams, Receiver]:
    client = HttpUpstreams(up.deadlines, up.limits, up.timeouts)
    return client, receiver_of("hook", f"http://127.0.0.1:{up.origin.port}{path}", {"X-Token": "s3cret"})


@pytest.mark.parametrize("loop", LOOPS)
def test_what_is_sent(loop: str) -> None:
    seen: list[bytes] = []

    async def listens(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        seen.append(await reader.readuntil(b"\r\n\r\n"))
        seen.append(await reader.readexactly(2))
        writer.write(OK)
        await writer.drain()

    async def scenario() -> None:
        async with upstream(listens) as up:
            client, to = leading_to(up)
            assert await post(client, to, b"{}", 5) is None
            assert seen[0].decode().split("\r\n") == [
                "POST /hook?a=b HTTP/1.1",
                "Accept-Encoding: identity",
                f"Host: 127.0.0.1:{up.origin.port}",
                "Content-Type: application/json",
                "User-Agent: Tollway",
                "X-Token: s3cret",
                "Content-Length: 2",
                "",
                "",
            ]
            assert seen[1] == b"{}"

    run(scenario(), loop)


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (OK, None),
        (NOTHING, None),
        (b"HTTP/1.1 302 Found\r\nLocation: http://elsewhere/\r\nContent-Length: 0\r\n\r\n", "status 302"),
        (b"HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\n\r\nno", "status 404"),
        (b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n", "status 503"),
        (b"SSH-2.0\r\n\r\n", "broken: "),
    ],
)
def test_what_counts_as_taken(answer: bytes, why: str | None) -> None:
    async def scenario() -> None:
        async with upstream(says(answer, stays=False)) as up:
            told = await post(*leading_to(up), b"{}", 5)
            assert (told is None) if why is None else (told or "").startswith(why)

    run(scenario())


def silent() -> Serve:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()

    return serve


def test_one_that_is_silent_is_left() -> None:
    async def scenario() -> None:
        async with upstream(silent()) as up:
            client, to = leading_to(up)
            assert await post(client, to, b"{}", 0.05) == "timeout: no answer within 0.05 s"
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            assert client.pools()[0].open == 0

    run(scenario())


@pytest.mark.parametrize(("once", "connections"), [(False, 1), (True, 3)])
def test_what_must_not_come_twice_has_a_new_connection(once: bool, connections: int) -> None:
    """A kept one may be dead, and then nobody knows whether it was read."""

    async def scenario() -> None:
        async with upstream(says(OK)) as up:
            client, to = leading_to(up)
            for _ in range(3):
                assert await post(client, to, b"{}", 5, once=once) is None
                await asyncio.sleep(0)
            assert up.connections == connections
            client.close()

    run(scenario())


def test_nobody_there() -> None:
    async def scenario() -> None:
        client = HttpUpstreams(Deadlines(Clock()), Limits(), Timeouts())
        told = await post(client, receiver_of("hook", "http://127.0.0.1:9/"), b"{}", 5)
        assert (told or "").startswith("connect: ")

    run(scenario())


@pytest.mark.parametrize(
    ("url", "origin", "line"),
    [
        (
            "https://hooks.example.com/services/T/B",
            Origin("https", "hooks.example.com", 443),
            b"POST /services/T/B HTTP",
        ),
        ("http://h:81", Origin("http", "h", 81), b"POST / HTTP"),
    ],
)
def test_an_address(url: str, origin: Origin, line: bytes) -> None:
    made = receiver_of("hook", url)
    assert (made.origin, made.head.startswith(line)) == (origin, True)
    assert "services" not in repr(made)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "hooks.example.com",
        "ftp://h/",
        "https:///x",
        "https://u:p@h/",
        "https://h:port/",
        "https://h/a b",
        "https://h/ü",
    ],
)
def test_what_is_no_address_names_the_setting_and_not_the_value(url: str) -> None:
    with pytest.raises(SettingsError, match=r"^alerts\.page_webhook_url: ") as told:
        receiver_of("alerts.page_webhook_url", url)
    assert not url or url not in str(told.value)


def test_a_header_that_would_break_the_request() -> None:
    with pytest.raises(SettingsError, match="X-Token must be printable ASCII"):
        receiver_of("hook", "https://h/", {"X-Token": "a\r\nHost: evil"})
