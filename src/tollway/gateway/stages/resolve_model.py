"""Put the model that an auto model stands for in its place; any other request stays as it came. Refuses nothing.

Source: request-path 4.
"""

from tollway.gateway.exchange import Exchange
from tollway.gateway.services import Services
from tollway.routing.auto_model import resolve
from tollway.wire.chat import ChatRequest


def run(exchange: Exchange, services: Services) -> ChatRequest:
    asked = exchange.asked
    entry = services.auto_models.get(asked.model.lower())
    return resolve(asked, entry, exchange.context.mode) if entry else asked
