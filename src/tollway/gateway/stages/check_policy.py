"""What the caller's key and organization allow, and what the model asks of everybody.

Gives the `provider` object that replaces the caller's, or None. Refuses: model_not_allowed (by the list of the key, or
by the organization's), data_collection_required (a hosted free model, and what is sent may not be collected; callers
who are nobody are asked as well). Nothing but the key's list is asked of those who have an endpoint of their own for
it: that one limits a credential, whoever serves the model. Source: request-path 9.1, 9.6, 9.9, 12.7;
catalog-and-clients E.7.
"""

from typing import Any

from tollway.errors import Code, Problem
from tollway.gateway.exchange import Exchange
from tollway.gateway.services import Services
from tollway.identity.policy import allows, forbids_collection


def run(exchange: Exchange, services: Services) -> dict[str, Any] | Problem | None:
    caller, own = exchange.caller, exchange.own
    if caller.key_models and not _is_for(exchange, services):
        return Problem(Code.MODEL_NOT_ALLOWED, f"{exchange.model.id}: not on the list of key {caller.key_id}")
    if own is not None and own.bypasses_access_check:
        return None
    policy, model_id, kind = caller.policy, exchange.model.id, exchange.kind
    config = None
    if policy is not None:
        if not policy.admits(model_id, kind.required_providers, services.serving(model_id)):
            return Problem(Code.MODEL_NOT_ALLOWED, f"{model_id}: by the lists of organization {caller.organization_id}")
        config = policy.provider_config
    if kind.is_hosted_free and forbids_collection(config or exchange.request.body.get("provider")):
        return Problem(Code.DATA_COLLECTION_REQUIRED, model_id)
    return config


def _is_for(exchange: Exchange, services: Services) -> bool:
    """Whether the caller's key is for this model. Nobody of the catalog serves a model that callers have themselves."""
    model_id, own = exchange.model.id.lower(), exchange.own
    serving = services.serving(model_id) if own is None or own.model is None else ()
    return allows(exchange.caller.key_models, model_id, serving)
