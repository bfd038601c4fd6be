"""Find out what kind of model is meant: free, hosted by the operator, ended, unavailable. Refuses nothing.

A spelling that the catalog takes for a model (a bare name without its vendor) is that model here as well, so that no
rule is escaped by it. Source: request-path 5.1.
"""

from tollway.catalog.classification import ModelKind
from tollway.gateway.exchange import Exchange
from tollway.gateway.services import Services


def run(exchange: Exchange, services: Services) -> ModelKind:
    return services.classification.kind_of(services.catalog().id_of(exchange.request.model))
