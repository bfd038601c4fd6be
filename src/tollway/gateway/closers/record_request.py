"""One log line per request: who, what, how it ended and what it cost. Never a prompt, an answer or a key."""

from tollway.gateway.exchange import Exchange
from tollway.gateway.services import Services


def run(exchange: Exchange, services: Services) -> None:
    problem, outcome = exchange.problem, exchange.outcome
    caller = exchange.caller if exchange.has("caller") else None
    services.request_log.add(
        {
            "event": "request",
            "time": exchange.received_at,
            "request_id": exchange.id,
            "path": exchange.inbound.path,
            "status": exchange.client.status or 499,
            "user": caller.user_id if caller else None,
            "organization": caller.organization_id if caller else None,
            "model": exchange.model.id if exchange.has("model") else None,
            "attempts": exchange.attempts,
            "client_gone": exchange.client.gone,
            "ms": round((services.deadlines.now() - exchange.started) * 1000, 1),
            "code": problem.code.value if problem else None,
            "detail": problem.detail if problem else None,
            "prompt_tokens": outcome.usage.prompt_tokens if outcome else None,
            "completion_tokens": outcome.usage.completion_tokens if outcome else None,
            "charge_microdollars": outcome.charge if outcome else None,
            "basis": outcome.basis.value if outcome else None,
        }
    )
