"""Keep the request and its answer, where somebody wants to; who writes them down does so later.

Nothing is kept when no upstream answered, or with no body. Source: response-path 0.1, 10.
"""

from tollway.gateway.exchange import Exchange
from tollway.gateway.services import Services
from tollway.gateway.transcripts import Transcript


def run(exchange: Exchange, services: Services) -> None:
    transcripts, reply = services.transcripts, exchange.reply
    if transcripts is None or reply is None or reply.copy is None:
        return
    response, caller = reply.copy.response, exchange.caller
    if not response:
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
