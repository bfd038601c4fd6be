"""Keep the request and its answer, where somebody wants to; who writes them down does so later.

Nothing is kept when no upstream answered, or with no body. Source: response-path 0.1, 10.
"""

from tollway.gateway.exchange import Exchange
from tollway.gateway.services import Services
from tollway.gateway.transcripts import Transcript


def run(exchange: Exchange, services: Services) -> None:
    transcripts = services.transcripts
    if transcripts is None or not exchange.has("reply"):
        return
    reply, caller = exchange.reply, exchange.caller
    response = b"" if reply.copy is None else reply.copy.response
    if reply.copy is None or not response:
        return
    transcripts.add(
        Transcript(
            exchange.id,
            exchange.received_at,
            caller.user_id,
            caller.organization_id,
            reply.candidate.upstream.id,
            exchange.request.model.lower().replace("\0", ""),
            reply.status,
            reply.copy.request,
            response,
        )
    )
