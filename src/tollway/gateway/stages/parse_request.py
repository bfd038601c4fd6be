"""Read the body as a chat request, as the caller sent it.

Refuses: invalid_request (not JSON, or beyond the input limits), model_not_found (no model named).
Source: request-path §2.
"""

from tollway.errors import Code, Problem
from tollway.gateway.exchange import Exchange
from tollway.gateway.services import Services
from tollway.wire.chat import ChatRequest, ModelMissingError, parse_chat
from tollway.wire.json_body import BodyError


def run(exchange: Exchange, _: Services) -> ChatRequest | Problem:
    try:
        return parse_chat(exchange.inbound.body)
    except BodyError as error:
        return Problem(Code.INVALID_REQUEST, str(error))
    except ModelMissingError as error:
        return Problem(Code.MODEL_NOT_FOUND, str(error))
