"""Put together what is stored of the request besides money, for the journal and the books. Refuses nothing.

Nothing is stored of what nobody pays for. Prompts are looked into for their length alone, unless their first characters
are stored: of personal requests where the operator wants it, of an organization's where it does itself, too. Source:
response-path 6.1, 6.9, 6.12; guarantees P1.
"""

from tollway.billing.particulars import NO_PARTICULARS, Particulars, storable
from tollway.gateway.exchange import Exchange
from tollway.gateway.services import Services
from tollway.wire.prompt_info import has_middle_out, has_tools, max_tokens, prompt_info


def run(exchange: Exchange, services: Services) -> Particulars:
    if exchange.hold is None:
        return NO_PARTICULARS
    context, body, inbound = exchange.context, exchange.request.body, exchange.inbound
    caller = exchange.caller
    stores = caller.keeps_prompts if caller.organization_id else services.settings.store_prompt_prefixes
    prompt = prompt_info(body, stores)
    manner = exchange.request.auto_model, has_tools(body), has_middle_out(body)
    return Particulars(
        services.origins.of(inbound.headers, context, exchange.address if inbound.by_proxy else None, manner),
        storable(context.task_id) if context.headers else None,
        max_tokens(body),
        prompt.system_length,
        storable(prompt.system_prefix) if stores else None,
        storable(prompt.user_prefix) if stores else None,
        exchange.kind.is_stealth,
        exchange.plan.rule._value_,
    )
