import pytest

from tollway.catalog.classification import FREE_ELSEWHERE, PAID, ModelKind
from tollway.errors import Code, Problem
from tollway.gateway.exchange import Exchange
from tollway.gateway.stages import gate_anonymous
from tollway.identity.anonymous import anonymous_id
from tollway.identity.caller import Caller
from unit.gateway.fakes import CALLER, exchange, services


def ready(known: Caller | None, kind: ModelKind) -> Exchange:
    one = exchange(headers={b"x-tollway-organizationid": b"org-1"})
    one.known, one.kind = known, kind
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
    assert caller == Caller(anonymous_id(b"anon-test-key", "::1"), "", is_anonymous=True)
