"""Read the body as a chat request.

Refuses: invalid_request (not JSON, or beyond the input limits), model_not_found (no model named), service_unavailable
(an impossible number of tokens). Source: request-path §2 and 10.1.
"""

from tollway.errors import Code, Problem
from tollway.gateway.exchange import Exchange
from tollway.gateway.services import Services
from tollway.wire.chat import ChatRequest, ModelMissingError, TokensOverCapError, parse_chat
from tollway.wire.json_body import BodyError


def run(exchange: Exchange, _: Services) -> ChatRequest | Problem:
    try:
        return parse_chat(exchange.inbound.body)
    except BodyError as error:
        return Problem(Code.INVALID_REQUEST, str(error))
    except ModelMissingError as error:
        return Problem(Code.MODEL_NOT_FOUND, str(error))
    except TokensOverCapError as error:
        return Problem(Code.SERVICE_UNAVAILABLE, str(error))
