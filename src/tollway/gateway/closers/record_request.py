"""One log line per request: who, what, how it ended and what it cost. Never a prompt, an answer or a key."""

from tollway.catalog.model import Model
from tollway.gateway.exchange import Exchange
from tollway.gateway.services import Services
from tollway.identity.caller import Caller
from tollway.observability.logs import RequestLine
from tollway.wire.chat import ChatRequest


def run(exchange: Exchange, services: Services) -> None:
    problem, outcome, client = exchange.problem, exchange.outcome, exchange.client
    caller: Caller | None = getattr(exchange, "caller", None)
    model: Model | None = getattr(exchange, "model", None)
    request: ChatRequest | None = getattr(exchange, "request", None)
    usage = outcome.usage if outcome else None
    seconds = services.deadlines.now() - exchange.started
    services.request_log.add(
        RequestLine(
            exchange.received_at,
            exchange.id,
            exchange.inbound.path,
            client.status or 499,
            caller.user_id if caller else None,
            caller.organization_id if caller else None,
            model.id if model else None,
            request.auto_model if request else None,
            exchange.attempts,
            client.gone,
            round(seconds * 10_000) / 10,
            problem.code.value if problem else None,
            problem.detail if problem else None,
            usage.prompt_tokens if usage else None,
            usage.completion_tokens if usage else None,
            outcome.charge if outcome else None,
            outcome.basis if outcome else None,
        )
    )
