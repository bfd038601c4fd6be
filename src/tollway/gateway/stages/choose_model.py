"""Find the model in the catalog, unless the caller brings it along.

Refuses: model_not_found; a model without a price is never served by accident.
"""

from tollway.catalog.model import Model
from tollway.errors import Code, Problem
from tollway.gateway.exchange import Exchange
from tollway.gateway.services import Services


def run(exchange: Exchange, services: Services) -> Model | Problem:
    if exchange.own is not None and exchange.own.model is not None:
        return exchange.own.model
    model = services.catalog().find(exchange.request.model)
    return model or Problem(Code.MODEL_NOT_FOUND, exchange.request.model)
