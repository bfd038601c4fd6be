import asyncio

import pytest

from tollway.admin.upstream_probes import Place
from tollway.deadlines import Deadlines
from tollway.identity.base_url import BaseUrl, read_base_url
from tollway.identity.outbound import OutboundRules
from tollway.settings import Limits, Timeouts
from tollway.upstream.client import HttpUpstreams
from tollway.upstream.probe import Prober
from tollway.upstream.resolver import Resolve
from unit.upstream.scripted import Upstream, run, upstream
from unit.upstream.test_fetch import HELLO, says

REDIRECT = b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1/\r\nContent-Length: 0\r\n\r\n"


def prober(rules: OutboundRules, resolve: Resolve | None = None) -> Prober:
    client = HttpUpstreams(Deadlines(), Limits(), Timeouts(), rules)
    return Prober(client, rules, resolve) if resolve else Prober(client, rules)


async def ask(up: Upstream, *, is_open: bool = True, timeout_s: float = 5, most: int = 100) -> tuple[int, bytes] | None:
    opened = OutboundRules(endpoints={("127.0.0.1", up.origin.port): True})
    address = read_base_url(f"http://127.0.0.1:{up.origin.port}/v1", opened)
    assert isinstance(address, BaseUrl)
    to = Place(address, "sk-1", {}).upstream
    asking = prober(opened if is_open else OutboundRules())
    return await asking(to, b"GET /v1/models" + to.head[1], b"", timeout_s, most)


def test_status_and_body_and_no_redirect_is_followed() -> None:
    async def scenario() -> None:
        async with upstream(says(HELLO)) as up:
            assert await ask(up) == (200, b"hello")
        async with upstream(says(REDIRECT)) as up:
            assert await ask(up) == (302, b"")
            assert up.connections == 1

    run(scenario())


def test_what_may_not_be_called_is_not() -> None:
    async def scenario() -> None:
        async with upstream(says(HELLO)) as up:
            assert await ask(up, is_open=False) is None
            assert up.connections == 0

    run(scenario())


def test_an_answer_has_a_bound_in_time_and_in_bytes() -> None:
    async def never(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
        await reader.read()

    async def scenario() -> None:
        async with upstream(says(HELLO)) as up:
            assert await ask(up, most=4) is None
        async with upstream(never) as up:
            assert await ask(up, timeout_s=0.05) is None

    run(scenario())


@pytest.mark.parametrize(
    ("found", "inside"),
    [
        (("8.8.8.8",), False),
        (("8.8.8.8", "10.0.0.1"), True),
        ((), True),
        (OSError("no such name"), True),
        (UnicodeError("too long"), True),
    ],
)
def test_where_a_name_leads(found: tuple[str, ...] | Exception, inside: bool) -> None:
    async def resolve(host: str, port: int) -> tuple[str, ...]:
        assert (host, port) == ("a.example", 443)
        if isinstance(found, Exception):
            raise found
        return found

    assert asyncio.run(prober(OutboundRules(), resolve).leads_inside("a.example", 443)) is inside
