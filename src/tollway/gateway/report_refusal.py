"""One log line for every error status of an upstream, and an alarm when its 402 means that the operator has to pay.

The lines wait in memory like those of requests, so they cost the client no time and cannot fail the request.
Source: response-path 2.8, guarantees U5.
"""

from tollway.gateway.exchange import Exchange
from tollway.gateway.reply import Reply
from tollway.gateway.services import Services
from tollway.routing.precedence import is_byok
from tollway.wire.upstream_error import text_for_logs

_ONLY_ERRORS = "error"


def report_refusal(exchange: Exchange, services: Services, reply: Reply) -> None:
    """For a status of 400 or above."""
    provider, status = reply.candidate.upstream.id, reply.status
    must_pay = status == 402 and not is_byok(exchange.own)
    if status >= 500 or services.settings.log_level != _ONLY_ERRORS:
        what = "returned 402 Payment Required" if status == 402 else f"returned error {status}"
        services.request_log.add(
            {
                "event": "upstream_refused",
                "level": "error" if status >= 500 else "warning",
                "time": exchange.received_at,
                "request_id": exchange.id,
                "message": f"{provider} {what}",
                "user": exchange.caller.user_id,
                "organization": exchange.caller.organization_id,
                "model": exchange.model.id,
                "status": status,
                "content_type": reply.content_type.decode("latin-1"),
                "detail": text_for_logs(reply.body),
            }
        )
    if must_pay:
        services.request_log.add(
            {
                "event": "operator_must_pay",
                "level": "error",
                "time": exchange.received_at,
                "request_id": exchange.id,
                "message": f"the account at {provider} has no credit",
            }
        )
