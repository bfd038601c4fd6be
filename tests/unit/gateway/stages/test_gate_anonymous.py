import pytest

from tollway.catalog.classification import FREE_ELSEWHERE, PAID, ModelKind
from tollway.errors import Code, Problem
from tollway.gateway.exchange import Exchange
from tollway.gateway.stages import gate_anonymous
from tollway.identity.anonymous import anonymous_id
from tollway.identity.caller import Caller
from tollway.limits.memory import Memory
from unit.gateway.fakes import CALLER, exchange, services


def ready(known: Caller | None, kind: ModelKind) -> Exchange:
    one = exchange(headers={b"x-tollway-organizationid": b"org-1"})
    one.address, one.known, one.kind = "2001:db8::1", known, kind
    return one


@pytest.mark.parametrize("kind", [PAID, FREE_ELSEWHERE])
def test_a_known_caller_goes_on(kind: ModelKind) -> None:
    assert gate_anonymous.run(ready(CALLER, kind), services()) is CALLER


def test_nobody_gets_a_paid_model() -> None:
    problem = gate_anonymous.run(ready(None, PAID), services())
    assert isinstance(problem, Problem)
    assert problem.code is Code.SIGN_IN_REQUIRED


def test_a_free_one_is_for_everybody_at_an_address() -> None:
    caller = gate_anonymous.run(ready(None, FREE_ELSEWHERE), services())
    assert caller == Caller(anonymous_id(b"anon-test-key", "2001:db8::1"), "", is_anonymous=True)


def test_short_memory_turns_away_whom_nobody_knows_and_nobody_else() -> None:
    short = services(memory=Memory(refuses_anonymous=True))
    problem = gate_anonymous.run(ready(None, FREE_ELSEWHERE), short)
    assert isinstance(problem, Problem)
    assert (problem.code, problem.retry_after_s) == (Code.OVERLOADED, 5)
    assert gate_anonymous.run(ready(CALLER, FREE_ELSEWHERE), short) is CALLER
    assert short.metrics.bounds.rejected("memory_anonymous") == 1
