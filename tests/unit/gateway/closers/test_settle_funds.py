import asyncio
from typing import Any

import pytest
from msgspec.structs import replace

from tollway.billing.ledger import Basis, Hold, Outcome
from tollway.gateway.closers import settle_funds
from tollway.gateway.exchange import Exchange
from tollway.gateway.reply import NO_FACTS, Reply
from tollway.gateway.services import Failure, FailureKind
from tollway.routing.plan import Plan
from tollway.wire.answer import Answer
from tollway.wire.chat import parse_chat
from tollway.wire.usage import Usage
from unit.gateway.fakes import CALLER, HOLD, FakeFunds, candidate, exchange, model, services

BROKEN = Failure(FailureKind.BROKEN, "reset", True)
TOLD = Answer("gen-1", "vendor/name", None, "stop", Usage(3, 2), False, True, None, 5)


def served(reply: Reply | None) -> Exchange:
    """An exchange whose stages have all run; None: the last one did not."""
    one = exchange()
    one.request = parse_chat(one.inbound.body)
    one.caller, one.model, one.hold = CALLER, model(), HOLD
    one.plan = Plan((candidate(),), 100, 100)
    if reply:
        one.reply = reply
    return one


def outcome(request_id: str) -> Outcome:
    """Any outcome, of a request of that id."""
    funds = FakeFunds()
    one = served(Reply(candidate(), 200, TOLD))
    one.hold = Hold(request_id, HOLD.amount, HOLD.budgets, HOLD.usage_day)
    asyncio.run(settle_funds.run(one, services(funds=funds)))
    return funds.closed[0]


def settle(one: Exchange, **changes: Any) -> FakeFunds:
    funds = changes.pop("funds", None) or FakeFunds(waits=True)
    asyncio.run(settle_funds.run(one, services(funds=funds, **changes)))
    return funds


def test_a_request_without_a_hold_ends_none() -> None:
    funds = settle(exchange())
    assert (funds.closed, funds.released) == ([], [])


@pytest.mark.parametrize(
    "reply",
    [None, Reply(candidate(), 0, NO_FACTS, failure=BROKEN), Reply(candidate(), 0, NO_FACTS, abandoned=True)],
    ids=["refused", "failed", "left"],
)
def test_without_an_answer_the_hold_is_released(reply: Reply | None) -> None:
    one = served(reply)
    funds = settle(one)
    assert (funds.closed, funds.released, one.outcome) == ([], [HOLD], None)


@pytest.mark.parametrize(
    ("reply", "basis", "charge", "absorbed"),
    [
        (Reply(candidate(), 200, TOLD), Basis.REPORTED, 22, 0),
        (Reply(candidate(), 500, replace(TOLD, has_error=True, has_output=False)), Basis.ABSORBED, 0, 22),
        (Reply(candidate(), 500, NO_FACTS), Basis.ABSORBED, 0, 0),
        (Reply(candidate(), 302, NO_FACTS), Basis.ABSORBED, 0, 0),
        (Reply(candidate(), 200, NO_FACTS, failure=BROKEN), Basis.ABSORBED, 0, 0),
        # "user" and "hello there" are 15 bytes: at least one token
        (Reply(candidate(), 200, replace(TOLD, usage=None)), Basis.ESTIMATED, 2 + 8, 0),
        (Reply(candidate(), 200, replace(TOLD, usage=Usage(10**9, 2))), Basis.ESTIMATED, 2 + 8, 0),
        (
            Reply(candidate(), 200, Answer(has_output=True, output_units=3), failure=BROKEN),
            Basis.INTERRUPTED,
            2 + 3 * 8,
            0,
        ),
        (
            Reply(candidate(), 200, Answer(has_output=True, output_units=3), abandoned=True),
            Basis.INTERRUPTED,
            2 + 3 * 8,
            0,
        ),
    ],
)
def test_with_an_answer_it_is_settled_once(reply: Reply, basis: Basis, charge: int, absorbed: int) -> None:
    one = served(reply)
    funds = settle(one)
    assert funds.released == []
    assert len(funds.closed) == 1
    closed = funds.closed[0]
    assert (closed.basis, closed.charge, closed.absorbed) == (basis, charge, absorbed)
    assert one.outcome is closed
    assert closed.record.status_code == reply.status


def test_the_record_says_how_it_ended() -> None:
    one = served(Reply(candidate(), 200, Answer(has_output=True, output_units=3), abandoned=True))
    one.client.gone = True
    one.attempts += ["sim:503", "sim:200"]
    record = settle(one).closed[0].record
    assert (record.cancelled, record.has_error, record.attempts, record.key_id) == (True, True, 2, "key-1")


@pytest.mark.parametrize("reply", [Reply(candidate(), 200, TOLD), None], ids=["charge", "release"])
def test_what_the_database_does_not_take_is_kept(reply: Reply | None) -> None:
    funds = FakeFunds()
    funds.away = True
    everything = services(funds=funds)
    asyncio.run(settle_funds.run(served(reply), everything))
    assert len(everything.unsettled) == 1
    funds.away = False
    asyncio.run(everything.unsettled.settle())
    assert len(funds.closed) + len(funds.released) == 1
