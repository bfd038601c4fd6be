"""What the caller's organization allows, and what the model asks of everybody.

Gives the `provider` object that replaces the caller's, or None. Refuses: model_not_allowed (by the organization's
lists), data_collection_required (a hosted free model, and what is sent may not be collected; callers who are nobody
are asked as well). Nothing is asked of those who have an endpoint of their own for it. Source: request-path 9.1,
9.6, 9.9, 12.7.
"""

from typing import Any

from tollway.errors import Code, Problem
from tollway.gateway.exchange import Exchange
from tollway.gateway.services import Services
from tollway.identity.policy import forbids_collection


def run(exchange: Exchange, services: Services) -> dict[str, Any] | Problem | None:
    if exchange.own is not None and exchange.own.bypasses_access_check:
        return None
    policy, model_id, kind = exchange.caller.policy, exchange.model.id, exchange.kind
    config = None
    if policy is not None:
        if not policy.admits(model_id, kind.required_providers, services.serving(model_id)):
            return Problem(Code.MODEL_NOT_ALLOWED, model_id)
        config = policy.provider_config
    if kind.is_hosted_free and forbids_collection(config or exchange.request.body.get("provider")):
        return Problem(Code.DATA_COLLECTION_REQUIRED, model_id)
    return config
