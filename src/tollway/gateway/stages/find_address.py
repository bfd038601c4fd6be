"""Find the client's address: the TCP peer's, or what a trusted proxy says.

Refuses: missing_client_ip. Source: request-path §3.
"""

from tollway.errors import Code, Problem
from tollway.gateway.exchange import Exchange
from tollway.gateway.services import Services


def run(exchange: Exchange, services: Services) -> str | Problem:
    inbound = exchange.inbound
    address: str | None = inbound.peer
    if inbound.by_proxy:
        if not services.settings.client_ip_header:
            services.metrics.forwarded_addresses.inc()
        address = services.behind_proxy(inbound.headers)
    return address or Problem(Code.MISSING_CLIENT_IP)
