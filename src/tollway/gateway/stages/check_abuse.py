"""Ask the abuse service, where there is one, what it thinks of this request; beside it, and nothing waits for it.

Refuses nothing: what the service says is logged. Source: request-path 8.7, response-path 11.
"""

from functools import partial

from tollway.gateway.abuse_checks import Inquiry
from tollway.gateway.abuse_questions import classification_of
from tollway.gateway.exchange import Exchange
from tollway.gateway.services import Services


def run(exchange: Exchange, services: Services) -> Inquiry | None:
    abuse = services.abuse
    if abuse is None:
        return None
    return abuse.begin(exchange.id, partial(classification_of, exchange, abuse.sends_prompts))
