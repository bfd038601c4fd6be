from tollway.errors import Code
from tollway.gateway.stages import gate_anonymous
from unit.gateway.fakes import CALLER, exchange, services


def test_only_known_callers_go_on() -> None:
    one = exchange()
    one.caller = CALLER
    assert gate_anonymous.run(one, services()) is None
    one.caller = None
    problem = gate_anonymous.run(one, services())
    assert problem
    assert problem.code is Code.SIGN_IN_REQUIRED
