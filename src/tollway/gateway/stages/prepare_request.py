"""Shape what goes upstream, whoever will serve it: usage is always asked for, unsupported fields are gone.

What only one provider wants is applied per attempt in `send_upstream`, because a fallback changes the provider.
"""

from tollway.gateway.exchange import Exchange
from tollway.gateway.services import Services
from tollway.wire.chat import with_usage
from tollway.wire.json_body import JsonObject


def run(exchange: Exchange, _: Services) -> JsonObject:
    return with_usage(exchange.request.body)
