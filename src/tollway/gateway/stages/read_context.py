"""Note what the client says about the request in headers. Refuses nothing. Source: request-path 13.3."""

from tollway.gateway.context import Context
from tollway.gateway.exchange import Exchange
from tollway.gateway.services import Services


def run(exchange: Exchange, services: Services) -> Context:
    notes = exchange.inbound.notes
    context = notes.context
    if context is None:
        inbound = exchange.inbound
        context = notes.context = services.contexts.read(inbound.headers, inbound.path)
    return context
