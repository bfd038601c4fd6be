"""Give back the places taken in `stages/limit_concurrency.py`."""

from tollway.gateway.exchange import Exchange
from tollway.gateway.services import Services


def run(exchange: Exchange, services: Services) -> None:
    services.slots.give_back(exchange.counted)
