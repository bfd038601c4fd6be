"""From an exchange that has ended to its record for statistics. Pure.

There is a record where an upstream was called and somebody was told a status: the upstream's, or else ours. Source:
response-path 0.1, 9.1 to 9.4.
"""

from tollway.gateway.exchange import Exchange
from tollway.observability.api_metrics import ApiMetric, Tokens
from tollway.routing.auto_model import metric_names
from tollway.routing.precedence import is_byok
from tollway.wire.tool_names import tools_available, tools_used
from tollway.wire.usage import Usage


def metric_of(exchange: Exchange, now: float) -> ApiMetric | None:
    """`now`: monotonic seconds at the end of the answer. None where there is nothing to tell."""
    reply = exchange.reply
    if reply is None:
        return None
    caller, request = exchange.caller, exchange.request
    status = reply.status or exchange.client.status
    if not 100 <= status <= 599:
        return None  # the client left before anybody had an answer
    _, resolved = metric_names(request)
    shaped, whole_ms = exchange.prepared, _ms(now - exchange.started)
    return ApiMetric(
        caller.user_id,
        caller.is_anonymous,
        request.stream,
        is_byok(exchange.own),
        reply.candidate.upstream.id,
        exchange.asked.model.lower().replace("\0", ""),  # as the client spelled it, aliases included
        resolved.replace("\0", ""),
        tools_available(shaped.get("tools")),
        tools_used(shaped.get("messages")),
        _ms(reply.head_at - exchange.started) if reply.head_at else whole_ms,
        whole_ms,
        status,
        caller.organization_id or None,
        exchange.context.mode,
        reply.facts.inference_provider or "",
        _tokens(reply.facts.usage),
    )


def _ms(seconds: float) -> int:
    return max(0, round(seconds * 1000))


def _tokens(usage: Usage | None) -> Tokens | None:
    if usage is None or not usage.is_counted:
        return None
    return Tokens(
        usage.prompt_tokens,
        usage.completion_tokens,
        usage.cache_write_tokens,
        usage.cached_tokens,
        usage.prompt_tokens + usage.completion_tokens,
    )
