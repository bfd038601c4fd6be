"""Tell the abuse service, where there is one, what the request was worth; only after it was accounted for.

Beside everything else. Nothing is told of callers without an account. Source: response-path 0.1, 11.6, 11.7.
"""

from tollway.gateway.abuse_questions import cost_report_of
from tollway.gateway.exchange import Exchange
from tollway.gateway.services import Services


def run(exchange: Exchange, services: Services) -> None:
    abuse = services.abuse
    if abuse is None or not exchange.has("inquiry") or exchange.inquiry is None:
        return
    headers_at = exchange.reply.head_at if exchange.reply else 0.0
    abuse.end(exchange.inquiry, headers_at, cost_report_of(exchange))
