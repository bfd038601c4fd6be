"""Shape what goes upstream, whoever will serve it: usage is always asked for, unsupported fields are gone, every tool
call has its result, and what the caller's organization says about inference providers is there before any rule of a
model adds to it.

What only one provider wants is applied per attempt in `send_upstream`, because a fallback changes the provider.
"""

from msgspec import to_builtins

from tollway.gateway.exchange import Exchange
from tollway.gateway.services import Services
from tollway.observability.logs import get_log
from tollway.wire.chat import with_usage
from tollway.wire.json_body import JsonObject
from tollway.wire.tool_repair import repair_tools

_log = get_log()


def run(exchange: Exchange, _: Services) -> JsonObject:
    body = with_usage(exchange.request.body)
    if exchange.provider_config is not None:
        body["provider"] = exchange.provider_config
    messages, repair = repair_tools(body.get("messages"))
    if repair:
        body["messages"] = messages  # the copy's: what came in survives
        _log.info("tools_repaired", request_id=exchange.id, **to_builtins(repair))
    return body
