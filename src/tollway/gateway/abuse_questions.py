"""From an exchange to what an abuse service is asked and told about it. Pure.

Source: response-path 11.2, 11.6, 11.7; request-path 8.7, 13.2, 13.3.
"""

from tollway.gateway.exchange import Exchange
from tollway.routing.precedence import is_byok
from tollway.wire.abuse import Classify, CostReport
from tollway.wire.client_headers import FraudHeaders, read_fraud_headers
from tollway.wire.prompt_info import has_middle_out, has_tools, max_tokens, prompt_texts


def classification_of(exchange: Exchange, sends_prompts: bool) -> Classify:
    """Of a request that has a plan. Prompts are not looked at unless they may be sent."""
    caller, context, request = exchange.caller, exchange.context, exchange.request
    edge = _edge(exchange)
    user_prompt, system_prompt = prompt_texts(request.body) if sends_prompts else (None, None)
    return Classify(
        caller.user_id,
        caller.organization_id,
        context.project_id,
        exchange.address,
        edge.http_x_vercel_ip_city,
        edge.http_x_vercel_ip_country,
        edge.http_x_vercel_ip_latitude,
        edge.http_x_vercel_ip_longitude,
        edge.http_x_vercel_ja4_digest,
        edge.http_user_agent,
        exchange.plan.candidates[0].upstream.id,
        exchange.asked.model.lower(),
        user_prompt,
        system_prompt,
        max_tokens(request.body),
        has_middle_out(request.body),
        has_tools(request.body),
        request.stream,
        is_byok(exchange.own),
        context.editor_name,
        context.feature,
    )


def cost_report_of(exchange: Exchange) -> CostReport | None:
    """Of a request that has ended; None where there is nothing to tell: it was not accounted for, as those of callers
    without an account never are, or the answer has no id. The service's `request_id` is left 0."""
    outcome, reply = exchange.outcome, exchange.reply
    message_id = reply.facts.message_id if reply else None
    if outcome is None or not message_id:
        return None
    edge, usage = _edge(exchange), outcome.usage
    return CostReport(
        exchange.caller.user_id,
        exchange.address,
        edge.http_x_vercel_ja4_digest,
        edge.http_user_agent,
        0,
        message_id,
        outcome.market_cost,
        exchange.request.model.lower(),
        usage.prompt_tokens,
        usage.completion_tokens,
        usage.cache_write_tokens,
        usage.cached_tokens,
    )


def _edge(exchange: Exchange) -> FraudHeaders:
    inbound = exchange.inbound
    return read_fraud_headers(inbound.headers, inbound.by_proxy, None)
