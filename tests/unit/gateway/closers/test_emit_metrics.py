from tollway.errors import Code, Problem
from tollway.gateway.closers import emit_metrics
from tollway.gateway.reply import Reply
from tollway.money import Microdollars
from unit.gateway.closers.test_settle_funds import TOLD, outcome, served
from unit.gateway.fakes import candidate, exchange, services


def test_a_served_request() -> None:
    everything, one = services(), served(Reply(candidate(), 200, TOLD))
    one.client.status = 200
    one.outcome = outcome("request-1")
    emit_metrics.run(one, everything)
    rendered = everything.metrics.render().decode()
    assert 'tollway_requests_total{status="200"} 1.0' in rendered
    assert "tollway_charged_microdollars_total 22.0" in rendered
    assert "tollway_request_seconds_count 1.0" in rendered
    assert "tollway_price_differences_total 0.0" in rendered


def test_a_price_that_differs() -> None:
    everything, one = services(), exchange()
    made = outcome("request-1")
    one.outcome = type(made)(**{**{name: getattr(made, name) for name in FIELDS}, "reported_cost": Microdollars(1)})
    emit_metrics.run(one, everything)
    assert "tollway_price_differences_total 1.0" in everything.metrics.render().decode()


FIELDS = ("hold", "usage", "basis", "charge", "absorbed", "market_cost", "list_cost", "reported_cost", "record")


def test_a_refusal_and_one_who_left() -> None:
    everything, one = services(), exchange()
    one.problem = Problem(Code.CLIENT_GONE)
    emit_metrics.run(one, everything)
    rendered = everything.metrics.render().decode()
    assert 'tollway_requests_total{status="499"} 1.0' in rendered
    assert 'tollway_refusals_total{code="client_gone"} 1.0' in rendered
