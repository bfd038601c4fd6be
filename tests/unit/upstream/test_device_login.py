import asyncio
import json
from collections.abc import Iterator

import pytest

from servers.lists import ListServer, list_server
from tollway import __version__
from tollway.client.device_login import DeviceCode, Polled, Verdict
from tollway.upstream.device_login import DeviceLogin
from tollway.upstream.model_list import open_client
from unit.client.fakes import gateways

CODE = DeviceCode("ABCD-EFGH", "https://t.example/device-auth", 10)
POLL = "/api/device-auth/codes/ABCD-EFGH"
APPROVED = json.dumps({"status": "approved", "token": "t", "userEmail": "e"}).encode()


@pytest.fixture
def server() -> Iterator[ListServer]:
    with list_server() as running:
        yield running


class Hours:
    """Time that passes only by sleeping."""

    def __init__(self) -> None:
        self.now = 0.0

    async def sleep(self, seconds: float) -> None:
        self.now += seconds


def wait(server: ListServer, *answers: tuple[int, bytes]) -> tuple[Polled, float]:
    server.routes[POLL] = list(answers)
    hours = Hours()

    async def scenario() -> Polled:
        with open_client() as client:
            login = DeviceLogin(client, gateways()["tollway"], server.url)
            return await login.wait(CODE, 3, hours.sleep, lambda: hours.now)

    return asyncio.run(scenario()), hours.now


def test_every_three_seconds_until_it_is_decided(server: ListServer) -> None:
    assert wait(server, (202, b"{}"), (500, b""), (200, APPROVED)) == (Polled(Verdict.APPROVED, "t", "e"), 9)
    assert wait(server, (202, b"{}"), (403, b""))[0].verdict is Verdict.DENIED
    assert wait(server, (410, b""))[0].verdict is Verdict.EXPIRED


def test_nobody_waits_longer_than_the_code_is_good_for(server: ListServer) -> None:
    assert wait(server, (202, b"{}")) == (Polled(Verdict.EXPIRED), 12)
    assert len(server.asked) == 4


def test_it_says_what_it_is_and_nothing_of_whose_machine_it_runs_on(server: ListServer) -> None:
    """The page shows it to whoever approves."""
    wait(server, (410, b""))
    (asked,) = server.asked
    assert asked.headers["user-agent"] == f"tollway/{__version__}"


def test_a_gateway_that_goes_away_has_not_decided() -> None:
    async def scenario() -> Polled:
        hours = Hours()
        with open_client() as client:
            login = DeviceLogin(client, gateways()["tollway"], "http://127.0.0.1:9")
            return await login.wait(CODE, 3, hours.sleep, lambda: hours.now)

    assert asyncio.run(scenario()).verdict is Verdict.EXPIRED
