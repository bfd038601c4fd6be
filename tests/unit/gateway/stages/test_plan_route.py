from tollway.errors import Code, Problem
from tollway.gateway.stages import plan_route
from tollway.routing.plan import Plan
from tollway.wire.chat import parse_chat
from unit.gateway.fakes import exchange, model, services


def plan(*providers: str) -> Plan | Problem:
    one = exchange()
    one.request, one.model = parse_chat(one.inbound.body), model(*providers)
    return plan_route.run(one, services())


def test_who_serves_it() -> None:
    found = plan("absent", "sim")
    assert isinstance(found, Plan)
    assert [one.upstream.id for one in found.candidates] == ["sim"]


def test_who_would_serve_it_has_no_key() -> None:
    problem = plan("absent")
    assert isinstance(problem, Problem)
    assert "absent" in problem.detail
    assert problem.code is Code.SERVICE_UNAVAILABLE
