"""Ask the upstream for its own record of an answer that did not say what it cost. Waits for nothing.

Source: response-path 6.5, 6.11; guarantees M3.
"""

from typing import Final

from tollway.billing.ledger import Basis
from tollway.gateway.exchange import Exchange
from tollway.gateway.services import Services

_REPORTED: Final = Basis.REPORTED


def run(exchange: Exchange, services: Services) -> None:
    lookups, outcome, reply = services.early_lookups, exchange.outcome, exchange.reply
    if lookups is None or outcome is None or reply is None or outcome.basis is _REPORTED:
        return
    if reply.candidate.upstream.lookup_head is not None:  # an endpoint of the caller's own has none
        lookups.begin(outcome)
