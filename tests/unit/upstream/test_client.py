import asyncio
from dataclasses import replace

import pytest

from tollway.gateway.upstream_port import Failure, FailureKind
from tollway.identity.outbound import OutboundRules
from tollway.providers.registry import Origin, Upstream
from tollway.settings import Limits, SettingsError
from tollway.upstream.client import HttpUpstreams
from unit.gateway import fakes
from unit.upstream.scripted import Sink, run, says
from unit.upstream.scripted import Upstream as Scripted
from unit.upstream.scripted import upstream as listening

HELLO = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"
HEAD = b"POST / HTTP/1.1\r\nContent-Length: 0\r\n\r\n"


def leading_to(up: Scripted) -> tuple[HttpUpstreams, Upstream]:
    client = HttpUpstreams(up.deadlines, up.limits, up.timeouts)
    return client, replace(fakes.upstream(), origin=up.origin)


async def send(client: HttpUpstreams, to: Upstream, fresh: bool = False) -> Sink:
    sink = Sink()
    kept = None if fresh else client.send_kept(to, HEAD, b"", sink, 60)
    assert not isinstance(kept or await client.send_fresh(to, HEAD, b"", sink, 60), Failure)
    await sink.over.wait()
    await asyncio.sleep(0)
    return sink


def test_one_pool_per_origin_and_kept_connections_are_used_again() -> None:
    async def scenario() -> None:
        async with listening(says(HELLO)) as up:
            client, to = leading_to(up)
            for _ in range(3):
                assert (await send(client, to)).body == b"hello"
            assert (up.connections, len(client.pools())) == (1, 1)
            assert (await send(client, to, fresh=True)).body == b"hello"
            assert (up.connections, client.pools()[0].idle) == (2, 2)
            client.close()

    run(scenario())


def test_nothing_is_sent_for_one_who_left_while_we_connected() -> None:
    async def scenario() -> None:
        async with listening(says(HELLO)) as up:
            client, to = leading_to(up)
            sink = Sink()
            sink.wanted = False
            failure = await client.send_fresh(to, HEAD, b"", sink, 60)
            assert isinstance(failure, Failure)
            assert (failure.kind, failure.may_have_billed) == (FailureKind.UNWANTED, False)
            assert client.pools()[0].idle == 1  # the connection is as good as new
            assert (await send(client, to)).body == b"hello"
            assert up.connections == 1
            client.close()

    run(scenario())


def test_a_failure_to_connect_is_given_back() -> None:
    async def scenario() -> None:
        async with listening(says(HELLO)) as up:
            client, to = leading_to(up)
            nowhere = replace(to, origin=Origin("http", "no-such-host.invalid", 80))
            failure = await client.send_fresh(nowhere, HEAD, b"", Sink(), 60)
            assert isinstance(failure, Failure)
            assert failure.kind is FailureKind.RESOLVE

    run(scenario())


def test_an_authority_that_cannot_be_read_is_named() -> None:
    async def scenario() -> None:
        async with listening(says(HELLO)) as up:
            client, to = leading_to(up)
            client.prepare(to)
            with pytest.raises(SettingsError, match=r"providers\.sim\.ca_file"):
                client.prepare(replace(to, origin=Origin("https", "a.example", 443, __file__)))
            with pytest.raises(SettingsError):
                client.prepare(replace(to, origin=Origin("https", "a.example", 443, "/nowhere.pem")))

    run(scenario())


def guarded(to: Upstream, host: str, scheme: str = "http") -> Upstream:
    return replace(to, origin=Origin(scheme, host, to.origin.port, is_guarded=True))


def test_a_name_that_has_come_to_lead_inside_is_not_called() -> None:
    """Rebinding: public when it was saved, this machine when it is used; and what was looked at is what is called."""
    asked: list[str] = []

    async def resolve(host: str, port: int) -> tuple[str, ...]:
        asked.append(host)
        return ("8.8.8.8", "127.0.0.1")

    async def scenario() -> None:
        async with listening(says(HELLO)) as up:
            client, to = leading_to(up)
            client = HttpUpstreams(up.deadlines, up.limits, up.timeouts, OutboundRules(), resolve)
            for scheme in ("http", "https"):
                failure = await client.send_fresh(guarded(to, "llm.example.com", scheme), HEAD, b"", Sink(), 60)
                assert isinstance(failure, Failure)
                assert (failure.kind, failure.may_have_billed) == (FailureKind.REFUSED, False)
                assert "loopback" in failure.detail
            assert asked == ["llm.example.com"] * 2
            assert up.connections == 0
            client.close()

    run(scenario())


def test_an_opened_endpoint_is_called_at_the_address_that_was_looked_at_and_named_as_before() -> None:
    asked: list[str] = []

    async def resolve(host: str, port: int) -> tuple[str, ...]:
        asked.append(host)
        return ("127.0.0.1",)

    async def scenario() -> None:
        async with listening(says(HELLO)) as up:
            client, to = leading_to(up)
            rules = OutboundRules(endpoints={("llm.example.com", up.origin.port): True})
            client = HttpUpstreams(up.deadlines, up.limits, up.timeouts, rules, resolve)
            there = guarded(to, "llm.example.com")
            assert (await send(client, there)).body == b"hello"
            assert (await send(client, there)).body == b"hello"  # over the kept connection: nothing is resolved again
            assert (asked, up.connections) == (["llm.example.com"], 1)
            assert (await send(client, to)).body == b"hello"  # the operator's own pool of the same place is another
            assert (up.connections, len(client.pools())) == (2, 2)
            client.close()

    run(scenario())


def test_so_many_pools_of_others_and_no_more() -> None:
    async def scenario() -> None:
        async with listening(says(HELLO), Limits(custom_upstream_pools=1)) as up:
            _, to = leading_to(up)
            rules = OutboundRules(endpoints={("127.0.0.1", up.origin.port): True})
            client = HttpUpstreams(up.deadlines, up.limits, up.timeouts, rules)
            there = guarded(to, "127.0.0.1")
            assert (await send(client, there)).body == b"hello"
            sink = Sink()
            assert client.send_kept(there, HEAD, b"", sink, 60)
            failure = await client.send_fresh(guarded(to, "8.8.8.8"), HEAD, b"", Sink(), 60)
            assert isinstance(failure, Failure)
            assert failure.kind is FailureKind.SATURATED
            assert client.send_kept(guarded(to, "8.8.8.8"), HEAD, b"", Sink(), 60) is None
            await sink.over.wait()
            client.close()

    run(scenario())
