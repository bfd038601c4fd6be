"""What one attempt sends to its candidate, and what makes the relay of the answer."""

from collections.abc import Awaitable, Callable
from functools import partial

from msgspec import Struct

from tollway import ids
from tollway.errors import Code, Problem
from tollway.gateway.exchange import Exchange
from tollway.gateway.relay import Relay
from tollway.gateway.rewriting_relay import TranslatingRelay, relay_for
from tollway.gateway.services import Services
from tollway.gateway.translation import Translated, translate
from tollway.providers.custom import shape
from tollway.providers.provider import TRANSLATED
from tollway.providers.rule import Attempt, Draft
from tollway.routing.plan import Candidate
from tollway.wire.dialects.refusal import Refusal
from tollway.wire.json_body import JsonObject


class Outgoing(Struct, frozen=True):
    """`headers`: further ones, lower-case; None: none."""

    body: JsonObject
    headers: dict[str, str] | None
    relay: Callable[..., Relay]


def outgoing(
    exchange: Exchange, services: Services, candidate: Candidate
) -> Outgoing | Problem | Awaitable[Outgoing | Problem]:
    """Refuses: unsupported_content (the upstream's dialect has no word for it)."""
    body, headers = shaped(exchange, services, candidate)
    if candidate.upstream.provider.dialect not in TRANSLATED:
        return Outgoing(body, headers, relay_for(exchange, services))
    translated = translate(exchange, services.dialects, candidate, body)
    if isinstance(translated, Translated | Refusal):
        return _translated(translated)
    return _later(translated)


async def _later(translated: Awaitable[Translated | Refusal]) -> Outgoing | Problem:
    return _translated(await translated)


def _translated(translated: Translated | Refusal) -> Outgoing | Problem:
    if isinstance(translated, Refusal):
        return Problem(Code.UNSUPPORTED_CONTENT, translated.message, status=translated.status, shown=translated.message)
    return Outgoing(translated.body, translated.headers, partial(TranslatingRelay, translated.answer))


def shaped(exchange: Exchange, services: Services, candidate: Candidate) -> tuple[JsonObject, dict[str, str] | None]:
    """Body and further headers for one candidate: its model id, its names for the user and for the task, then the rules
    of the model's family and of the provider, or what the caller's own endpoint takes.

    Source: request-path 2.5, 11.1, 11.2, 11.5 to 11.10, 12.6.
    """
    request, upstream, offer, caller = exchange.request, candidate.upstream, candidate.offer, exchange.caller
    asked, wanted = request.model, offer.upstream_model
    model = asked if asked == wanted or asked.lower() == wanted.lower() else wanted
    user = services.user_hashes.user(upstream.id, upstream.base_url, caller.user_id)
    body = {**exchange.prepared, "model": model, "user": user, "safety_identifier": user}
    task_id = exchange.context.task_id
    if task_id:
        hashes, base_url = services.user_hashes, upstream.base_url
        body["prompt_cache_key"] = hashes.prompt_cache_key(upstream.id, base_url, caller.user_id, task_id)
    if exchange.own is not None and exchange.own.model is not None:
        if exchange.own.options is not None:  # its translation takes what it wants
            return body, None
        return shape(body, stream=request.stream), None
    recipe = services.rulebook.recipe(exchange.model.id, offer, upstream.provider)
    if not recipe.rules:
        return body, None
    own_keys = exchange.own.keys if exchange.own is not None else None
    draft, attempt = Draft(body), Attempt(recipe.target, request.stream, ids.new_id, own_keys)
    for rule in recipe.rules:
        draft = rule(draft, attempt)
    return draft.body, draft.headers
