"""Read the body as a chat request, as the caller sent it.

A client that speaks another dialect has its request translated here, and the rest of the gateway sees no difference.

Refuses: invalid_request (not JSON, or beyond the input limits), model_not_found (no model named), unsupported_content
(it has what no chat request can express).
Source: request-path §2.
"""

from tollway.errors import Code, Problem
from tollway.gateway.exchange import Exchange
from tollway.gateway.services import Services
from tollway.wire.chat import ChatRequest, ModelMissingError, parse_chat
from tollway.wire.dialects.refusal import Refusal
from tollway.wire.json_body import BodyError


def run(exchange: Exchange, _: Services) -> ChatRequest | Problem:
    inbound = exchange.inbound
    try:
        if inbound.dialect is None:
            return parse_chat(inbound.body)
        chat = inbound.dialect.read(inbound.body, exchange.id, exchange.received_at)
        if isinstance(chat, Refusal):
            return Problem(Code.UNSUPPORTED_CONTENT, chat.message, status=chat.status, shown=chat.message)
        return parse_chat(chat)
    except BodyError as error:
        return Problem(Code.INVALID_REQUEST, str(error))
    except ModelMissingError as error:
        return Problem(Code.MODEL_NOT_FOUND, str(error))
