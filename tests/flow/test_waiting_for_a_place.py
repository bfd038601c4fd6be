"""A full worker lets requests wait for a place, so many and so long."""

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from flow.accounts import Accounts
from flow.conversation import Conversation, chat
from flow.patience import until
from flow.programs import Gateway, Sim, settings_for
from flow.quick import WAITING, gauge
from flow.raw import ask, get

SLOW = {"chunks": 400, "delay_ms": 20}  # seconds, unless its client leaves
BOUNDS = """
[limits]
in_flight = 1
queue = 2

[timeouts]
queue_s = 3
drain_s = 1
"""


@pytest.fixture
def gateway(tmp_path: Path, sim: Sim) -> Iterator[Gateway]:
    program = Gateway(tmp_path, settings_for(tmp_path, sim.url) + BOUNDS)
    yield program
    program.end()


def test_requests_wait_for_a_place(gateway: Gateway) -> None:
    account = Accounts(gateway.config).create()

    def wait_for(waiting: int) -> None:
        until(lambda: gauge(gateway, WAITING) == waiting)

    with (
        Conversation(gateway) as slow,
        Conversation(gateway) as second,
        Conversation(gateway) as leaves,
        Conversation(gateway) as third,
        Conversation(gateway) as too_many,
    ):
        slow.ask(account, chat("sim/story", True, SLOW))
        slow.read_until(b"data: ")
        second.ask(account, chat())
        wait_for(1)
        leaves.ask(account, chat())
        wait_for(2)
        too_many.ask(account, chat())
        refused = too_many.read_answer()
        assert (refused.status, refused.json["error"]["code"]) == (503, "overloaded")
        assert int(refused.headers["retry-after"]) >= 1
        leaves.leave()
        wait_for(1)
        third.ask(account, chat())
        for late in (second, third):  # the slow one takes longer than anybody waits
            refused = late.read_answer()
            assert (refused.status, refused.json["error"]["code"]) == (503, "overloaded")
            assert int(refused.headers["retry-after"]) >= 1
        second.ask(account, chat())
        wait_for(1)
        slow.leave()
        assert second.read_answer().status == 200
        third.ask(account, chat())
        assert third.read_answer().status == 200
    assert ask(gateway, get("/healthz")).status == 200


def test_a_worker_that_drains_lets_nobody_wait(gateway: Gateway) -> None:
    account = Accounts(gateway.config).create()
    with Conversation(gateway) as slow, Conversation(gateway) as waits:
        slow.ask(account, chat("sim/story", True, {"chunks": 40, "delay_ms": 20}))
        slow.read_until(b"data: ")
        waits.ask(account, chat())
        until(lambda: gauge(gateway, WAITING) == 1)
        gateway.signal(signal.SIGTERM)
        refused = waits.read_answer()
        assert (refused.status, refused.json["error"]["code"]) == (503, "draining")
        assert refused.headers["connection"] == "close"
        assert slow.read_answer().is_done
    assert gateway.wait() == 0
