from msgspec.structs import replace

from tollway.billing.ledger import Basis, Outcome
from tollway.gateway.closers import ask_record
from tollway.gateway.exchange import Exchange
from tollway.gateway.reply import NO_FACTS, Reply
from unit.gateway import fake_lookups
from unit.gateway.closers.test_settle_funds import outcome
from unit.gateway.fakes import candidate, exchange, services


class Lookups:
    """EarlyLookups as the closer uses it."""

    def __init__(self) -> None:
        self.begun: list[Outcome] = []

    def begin(self, outcome: Outcome) -> None:
        self.begun.append(outcome)


def estimated() -> Outcome:
    return replace(outcome("r1"), basis=Basis.ESTIMATED)


def begun(one: Exchange) -> list[Outcome]:
    lookups = Lookups()
    ask_record.run(one, services(early_lookups=lookups))
    ask_record.run(one, services())
    return lookups.begun


def test_what_has_an_outcome_may_be_asked_about() -> None:
    one = exchange()
    assert begun(one) == []
    one.reply = Reply(replace(candidate(), upstream=fake_lookups.upstream()), 200, NO_FACTS)
    assert begun(one) == []
    one.outcome = estimated()
    assert begun(one) == [one.outcome]
    one.outcome = outcome("r1")  # it said what it cost
    assert begun(one) == []


def test_an_endpoint_of_the_callers_own_is_not_asked() -> None:
    """Whatever it is called: the operator's upstream of that name does not know its answers (V34)."""
    one = exchange()
    one.reply, one.outcome = Reply(candidate(), 200, NO_FACTS), estimated()
    assert begun(one) == []
