"""Ask the upstream for its own record of an answer that did not say what it cost. Waits for nothing.

Source: response-path 6.5, 6.11; guarantees M3.
"""

from tollway.gateway.exchange import Exchange
from tollway.gateway.services import Services


def run(exchange: Exchange, services: Services) -> None:
    outcome, reply = exchange.outcome, exchange.reply
    if services.early_lookups is None or outcome is None or reply is None:
        return
    if reply.candidate.upstream.lookup_head is not None:  # an endpoint of the caller's own has none
        services.early_lookups.begin(outcome)
