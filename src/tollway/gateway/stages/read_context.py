"""Note what the client says about the request in headers. Refuses nothing. Source: request-path 13.3."""

from tollway.gateway.context import Context
from tollway.gateway.exchange import Exchange
from tollway.gateway.services import Services


def run(exchange: Exchange, services: Services) -> Context:
    inbound = exchange.inbound
    return services.contexts.read(inbound.headers, inbound.path)
