"""Count the request and its money."""

from tollway.gateway.exchange import Exchange
from tollway.gateway.services import Services


def run(exchange: Exchange, services: Services) -> None:
    metrics, outcome = services.metrics, exchange.outcome
    metrics.count_request(exchange.client.status or 499)
    metrics.duration.observe(services.deadlines.now() - exchange.started)
    if exchange.problem:
        metrics.count_refusal(exchange.problem.code.value)
    if outcome:
        metrics.charged.inc(outcome.charge)
        metrics.absorbed.inc(outcome.absorbed)
        if outcome.reported_cost is not None and outcome.reported_cost != outcome.list_cost:
            metrics.price_differences.inc()
