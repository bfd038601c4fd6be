from dataclasses import replace

from tollway.errors import Code, Problem
from tollway.gateway.stages import limit_concurrency
from tollway.settings import parse
from unit.gateway.fakes import CALLER, exchange, services

FEW = parse({"limits": {"in_flight_per_account": 2, "in_flight_per_key": 1}})


def test_places_of_payer_and_key() -> None:
    everything, one = services(settings=FEW), exchange()
    one.caller = CALLER
    assert limit_concurrency.run(one, everything) == ("user-1", "key-1")
    problem = limit_concurrency.run(one, everything)
    assert isinstance(problem, Problem)
    assert (problem.code, problem.detail, problem.retry_after_s) == (Code.TOO_MANY_REQUESTS, "key-1", 1)
    one.caller = replace(CALLER, key_id=None)
    assert limit_concurrency.run(one, everything) == ("user-1",)
    assert isinstance(limit_concurrency.run(one, everything), Problem)
    bounds = everything.metrics.bounds
    assert (bounds.rejected("in_flight_per_key"), bounds.rejected("in_flight_per_account")) == (1, 1)


def test_an_organization_pays_for_its_members_together() -> None:
    one = exchange()
    one.caller = replace(CALLER, organization_id="org-1", key_id=None)
    assert limit_concurrency.run(one, services()) == ("org-1",)
