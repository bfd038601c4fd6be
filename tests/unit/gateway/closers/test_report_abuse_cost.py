from typing import Any

from msgspec.structs import replace

from tollway.gateway.abuse_checks import Inquiry
from tollway.gateway.closers import report_abuse_cost
from tollway.gateway.exchange import Exchange
from unit.gateway.closers.test_settle_funds import outcome
from unit.gateway.fakes import exchange, services
from unit.gateway.test_abuse_questions import asked


class Checks:
    """AbuseChecks as the closer uses it."""

    def __init__(self) -> None:
        self.ended: list[tuple[Any, ...]] = []

    def end(self, *told: Any) -> None:
        self.ended.append(told)


def ended(one: Exchange) -> list[tuple[Any, ...]]:
    checks = Checks()
    report_abuse_cost.run(one, services(abuse=checks))
    return checks.ended


def test_what_was_accounted_for_is_told() -> None:
    one, inquiry = asked(), Inquiry("request-1")
    one.inquiry, one.outcome = inquiry, outcome("request-1")
    one.reply = replace(one.reply, head_at=7.0)
    ((who, headers_at, report),) = ended(one)
    assert (who, headers_at, report.cost) == (inquiry, 7.0, one.outcome.market_cost)


def test_a_question_ends_with_its_request_also_when_there_is_nothing_to_tell() -> None:
    one, inquiry = exchange(), Inquiry("request-1")  # it was refused before anything was sent
    one.inquiry = inquiry
    assert ended(one) == [(inquiry, 0.0, None)]


def test_who_was_not_asked_is_not_told() -> None:
    one = asked()
    one.outcome = outcome("request-1")
    assert ended(one) == []
    one.inquiry = None
    assert ended(one) == []
    report_abuse_cost.run(one, services())
