import asyncio
from decimal import Decimal
from typing import Any

import pytest
from msgspec.structs import replace
from structlog.testing import capture_logs

from tollway.billing.ledger import Basis, Outcome
from tollway.billing.particulars import NO_PARTICULARS
from tollway.gateway.closers import settle_funds
from tollway.gateway.exchange import Exchange
from tollway.gateway.reply import NO_FACTS, Reply
from tollway.gateway.upstream_port import Failure, FailureKind
from tollway.money import Microdollars
from tollway.observability.metrics import Metrics
from tollway.routing.plan import Plan
from tollway.wire.answer import Answer
from tollway.wire.chat import parse_chat
from tollway.wire.usage import Usage
from unit.gateway.fakes import CALLER, HOLD, FakeFunds, candidate, exchange, model, services, settled

BROKEN = Failure(FailureKind.BROKEN, "reset", True)
UNSENT = Failure(FailureKind.CONNECT, "refused", False)
TOLD = Answer("gen-1", "vendor/name", None, "stop", Usage(3, 2), False, True, None, 5)


def served(reply: Reply | None) -> Exchange:
    """An exchange whose stages have all run; None: the last one did not."""
    one = exchange()
    one.request = parse_chat(one.inbound.body)
    one.caller, one.model, one.hold = CALLER, model(), HOLD
    one.plan, one.particulars = Plan((candidate(),), 100, 100), NO_PARTICULARS
    if reply:
        one.reply = reply
    return one


def outcome(request_id: str) -> Outcome:
    """Any outcome, of a request of that id."""
    one = served(Reply(candidate(), 200, TOLD))
    one.hold = replace(HOLD, request_id=request_id)
    return settle(one).closed[0]


def settle(one: Exchange, funds: FakeFunds | None = None, **changes: Any) -> FakeFunds:
    funds = funds or FakeFunds()
    asyncio.run(settled(settle_funds.run(one, services(funds=funds, **changes))))
    return funds


def test_a_request_without_a_hold_ends_none() -> None:
    funds = settle(exchange())
    assert (funds.closed, funds.released) == ([], [])


@pytest.mark.parametrize(
    ("reply", "worth"),
    [
        (None, 0),
        (Reply(candidate(), 0, NO_FACTS, failure=UNSENT), 0),
        (Reply(candidate(), 200, TOLD), 22),
        (Reply(candidate(), 200, replace(TOLD, usage=None)), 2 + 8),
        (Reply(candidate(), 500, replace(TOLD, has_error=True, has_output=False)), 22),
    ],
    ids=["refused", "not sent", "reported", "estimated", "failed"],
)
def test_where_nobody_pays_only_a_metric_tells(reply: Reply | None, worth: int) -> None:
    one, metrics = served(reply), Metrics()
    one.hold = None
    funds = settle(one, metrics=metrics)
    assert (funds.closed, funds.released, one.outcome) == ([], [], None)
    assert f"tollway_given_away_microdollars_total {worth}.0" in metrics.render().decode()


def test_the_row_tells_the_auto_id() -> None:
    one = served(Reply(candidate(), 200, TOLD))
    one.request = replace(one.request, auto_model="house/auto")
    (told,) = settle(one).closed
    assert (told.record.requested_model, told.record.model) == ("house/auto", "vendor/name")


@pytest.mark.parametrize(
    "reply",
    [None, Reply(candidate(), 0, NO_FACTS, failure=UNSENT)],
    ids=["refused", "not sent"],
)
def test_what_no_upstream_has_seen_is_released(reply: Reply | None) -> None:
    one = served(reply)
    funds = settle(one)
    assert (funds.closed, funds.released, one.outcome) == ([], [HOLD], None)


def test_what_was_promoted_costs_nothing_whatever_its_price() -> None:
    one = served(Reply(candidate(), 200, TOLD))
    one.hold = replace(HOLD, worst_case=Microdollars(0), amounts=(Microdollars(0),))
    (ended,) = settle(one).closed
    assert (ended.basis, ended.charge, ended.absorbed) == (Basis.FREE, 0, 22)


@pytest.mark.parametrize(
    ("reply", "basis", "charge", "absorbed"),
    [
        (Reply(candidate(), 200, TOLD), Basis.REPORTED, 22, 0),
        (Reply(candidate(), 500, replace(TOLD, has_error=True, has_output=False)), Basis.ABSORBED, 0, 22),
        (Reply(candidate(), 500, NO_FACTS), Basis.ABSORBED, 0, 0),
        (Reply(candidate(), 302, NO_FACTS), Basis.ABSORBED, 0, 0),
        (Reply(candidate(), 200, NO_FACTS, failure=BROKEN), Basis.ABSORBED, 0, 0),
        # no answer at all, but the upstream has the request and may bill for it: it is written down, at no charge
        (Reply(candidate(), 0, NO_FACTS, failure=BROKEN), Basis.ABSORBED, 0, 0),
        (Reply(candidate(), 0, NO_FACTS, abandoned=True), Basis.ABSORBED, 0, 0),
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
def test_what_an_upstream_has_seen_is_settled_once(reply: Reply, basis: Basis, charge: int, absorbed: int) -> None:
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
    assert (record.cancelled, record.has_error, record.key_id) == (True, True, "key-1")
    assert (record.route, record.attempts) == (("sim/vendor/name",), ("sim:503", "sim:200"))
    assert (record.prompt_tokens_max, record.completion_tokens_max) == (100, 100)


def test_choices_multiply_what_may_be_generated() -> None:
    told = replace(TOLD, usage=Usage(3, 1_100))  # more than ten times what one choice may have
    one, three = [served(Reply(candidate(), 200, told)) for _ in range(2)]
    three.request = replace(three.request, choices=3)
    outcomes = [settle(each).closed[0] for each in (one, three)]
    assert [outcome.record.completion_tokens_max for outcome in outcomes] == [100, 300]
    assert [outcome.basis for outcome in outcomes] == [Basis.ESTIMATED, Basis.REPORTED]


def test_a_prompt_that_was_counted_before_is_not_counted_again() -> None:
    one = served(Reply(candidate(), 200, replace(TOLD, usage=None)))
    one.prompt_text_bytes = 4_000
    assert settle(one).closed[0].usage.prompt_tokens == 500
    told = served(Reply(candidate(), 200, TOLD))
    settle(told)
    assert told.prompt_text_bytes is None  # nobody needed to know


def test_what_neither_journal_nor_books_take_is_said() -> None:
    funds, one = FakeFunds(), served(Reply(candidate(), 200, TOLD))
    funds.away = True
    with capture_logs() as lines:
        settle(one, funds)
    assert [(line["event"], line["request_id"]) for line in lines] == [("settlement_postponed", "request-1")]
    assert one.outcome  # funds keep it; the client's answer names its charge


@pytest.mark.parametrize("tells", [True, False], ids=["an aggregator", "anybody else"])
def test_a_cost_without_whose_key_paid_it_is_told_of_those_who_always_say(tells: bool) -> None:
    told = replace(TOLD, usage=Usage(1, 1, cost_usd=Decimal("0.5")))
    with capture_logs() as lines:
        settle(served(Reply(candidate(generation_lookup=tells), 200, told)))
    assert [line["event"] for line in lines] == ["contradicting_costs"] * tells
