"""Shape what goes upstream, whoever will serve it: usage is always asked for, unsupported fields are gone, and
what the caller's organization says about inference providers is there before any rule of a model adds to it.

What only one provider wants is applied per attempt in `send_upstream`, because a fallback changes the provider.
"""

from tollway.gateway.exchange import Exchange
from tollway.gateway.services import Services
from tollway.wire.chat import with_usage
from tollway.wire.json_body import JsonObject


def run(exchange: Exchange, _: Services) -> JsonObject:
    body = with_usage(exchange.request.body)
    if exchange.provider_config is not None:
        body["provider"] = exchange.provider_config
    return body
