"""Hand the request's record to those who keep them, where anybody does; who writes it down does so later."""

from tollway.gateway.api_metric import metric_of
from tollway.gateway.exchange import Exchange
from tollway.gateway.services import Services
from tollway.observability.api_metrics import Measured


def run(exchange: Exchange, services: Services) -> None:
    feed = services.api_metrics
    if feed is None:
        return
    metric = metric_of(exchange, services.deadlines.now())
    if metric:
        feed.add(Measured(exchange.id, exchange.received_at, metric))
