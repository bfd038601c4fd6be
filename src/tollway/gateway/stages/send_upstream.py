"""Call the candidates until one answers, and relay that answer up to its last bytes.

Tries again only while the client has received nothing, within the rules of `routing/fallback.py`. The last try that an
upstream has seen stands, also when later ones came to nothing, because it may have been billed. Refuses:
upstream_unreachable, upstream_timeout, upstream_broken, upstream_error, upstream_redirect, overloaded, client_gone,
upstream_unavailable (they all keep failing, and are left alone for a while), journal_unavailable (nothing is sent that
could not be accounted for), service_unavailable (an endpoint of the caller's is where it may not be); own_key_refused,
context_length_exceeded, stealth_model_error in place of the upstream's.
"""

import asyncio
from math import ceil
from typing import Final

from msgspec.json import Encoder
from msgspec.structs import replace

from tollway import ids
from tollway.billing.store import JournalUnavailableError
from tollway.errors import Code, Problem
from tollway.gateway.exchange import Exchange
from tollway.gateway.opening import opening_entry
from tollway.gateway.reply import NO_FACTS, Reply
from tollway.gateway.report_refusal import report_refusal
from tollway.gateway.rewriting_relay import relay_for
from tollway.gateway.services import Services
from tollway.gateway.upstream_port import Failure, FailureKind
from tollway.observability.logs import get_log
from tollway.providers.custom import shape
from tollway.providers.extra_headers import with_headers
from tollway.providers.rule import Attempt, Draft
from tollway.routing.breaker import Breaker
from tollway.routing.fallback import Tried, pause_before_retry
from tollway.routing.plan import Candidate
from tollway.routing.precedence import is_byok
from tollway.steps import Later
from tollway.wire.json_body import JsonObject

_log = get_log()
_encode: Final = Encoder().encode
_UNSENT = frozenset({FailureKind.SATURATED, FailureKind.RESOLVE, FailureKind.CONNECT, FailureKind.SEND})
_ANSWERLESS = frozenset({FailureKind.NO_ANSWER, FailureKind.STALE}) | _UNSENT
_OURS = frozenset({FailureKind.SATURATED, FailureKind.UNWANTED, FailureKind.SHUTDOWN})  # no upstream has a part in it


async def run(exchange: Exchange, services: Services) -> Reply | Problem:
    candidates = exchange.plan.candidates
    started = now = services.deadlines.now()
    services.retry_budget.count_first(started)
    retries = unanswered = 0
    fresh = False
    standing: Reply | None = None
    while True:
        if exchange.client.gone:
            return standing or Problem(Code.CLIENT_GONE, "before the request was sent")
        admitted = _admit(exchange, services, retries, now)
        if isinstance(admitted, Problem):
            return standing or admitted
        candidate, breaker, turn = admitted
        try:
            if exchange.hold is not None:
                services.funds.open(exchange.id, opening_entry(exchange, candidate))
        except JournalUnavailableError as error:
            return standing or Problem(Code.JOURNAL_UNAVAILABLE, str(error), retry_after_s=1)
        reply = await _attempt(exchange, services, candidate, retries + 1, fresh)
        now = services.deadlines.now()
        if breaker.end(turn, _is_failure(exchange, reply), now):
            _log.warning("upstream_left_alone", provider=candidate.upstream.id, model=candidate.offer.upstream_model)
        if standing is None or reply.was_sent or not standing.was_sent:
            standing = reply
        tried = _failed_try(reply, exchange)
        if tried is None:
            return standing
        pause = pause_before_retry(
            tried,
            retries,
            unanswered,
            now - started,
            services.settings.timeouts.retry_total_s,
            services.settings.retries,
            ids.jitter(0, 1),
            elsewhere=len(candidates) > 1,
        )
        if pause is None or not services.retry_budget.take(now):
            return standing
        retries += 1
        unanswered += tried.status is None and tried.sent
        fresh = tried.status is None  # a connection died: what else is kept may be as dead
        if pause:
            await asyncio.sleep(pause)
            now = services.deadlines.now()


def _admit(
    exchange: Exchange, services: Services, retries: int, now: float
) -> tuple[Candidate, Breaker, int] | Problem:
    """The next candidate that is not left alone, its breaker, and the turn of this attempt."""
    candidates, breakers = exchange.plan.candidates, services.breakers
    owner = ""
    if is_byok(exchange.own):  # nobody's endpoint or key touches another's breaker
        owner = f"{exchange.caller.organization_id or exchange.caller.user_id} {exchange.model.id}"
    count = len(candidates)
    first = retries % count
    candidate = candidates[first]
    breaker = breakers.of(owner, candidate.offer.route)
    turn = breaker.admit(now)
    if turn is not None:
        return candidate, breaker, turn
    wait_s = breaker.wait_s(now)
    for step in range(1, count):
        candidate = candidates[(first + step) % count]
        breaker = breakers.of(owner, candidate.offer.route)
        turn = breaker.admit(now)
        if turn is not None:
            return candidate, breaker, turn
        wait_s = min(wait_s, breaker.wait_s(now))
    return Problem(Code.UPSTREAM_UNAVAILABLE, "all candidates are left alone", retry_after_s=max(1, ceil(wait_s)))


async def _attempt(exchange: Exchange, services: Services, candidate: Candidate, number: int, fresh: bool) -> Reply:
    settings, timeouts, upstream = services.settings, services.settings.timeouts, candidate.upstream
    request_id = exchange.id.encode()
    relay = relay_for(exchange, services)(
        exchange.client,
        candidate,
        services.deadlines,
        settings.limits,
        timeouts,
        services.drains,
        b"x-request-id: %b\r\n" % request_id,
        Later(loop=services.loop),
        services.relays.note,
    )
    shaped, headers = _shape(exchange, services, candidate)
    body = _encode(shaped)
    before, after = upstream.head
    head = b"%b%b%bX-Request-Id: %b-%d\r\nContent-Length: %d\r\n\r\n" % (
        before,
        exchange.inbound.query if upstream.takes_query else b"",
        with_headers(after, headers) if headers else after,
        request_id,
        number,
        len(body),
    )
    headers_s = timeouts.stream_headers_s if exchange.request.stream else timeouts.answer_s
    kept = None if fresh else services.client.send_kept(upstream, head, body, relay, headers_s)
    sent = kept or await services.client.send_fresh(upstream, head, body, relay, headers_s)
    if isinstance(sent, Failure):
        reply = Reply(candidate, 0, NO_FACTS, failure=sent)
    else:
        relay.attach(sent)
        services.relays.add(relay, exchange)
        try:
            reply = await relay.finished
        finally:
            services.relays.remove(relay)
    _note(exchange, services, reply)
    if reply.status >= 400:
        report_refusal(exchange, services, reply)
        if exchange.kind.entry is not None:
            reply = replace(reply, sent_body=body)
    return reply


def _shape(exchange: Exchange, services: Services, candidate: Candidate) -> tuple[JsonObject, dict[str, str] | None]:
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
        return shape(body, stream=request.stream), None
    recipe = services.rulebook.recipe(exchange.model.id, offer, upstream.provider)
    if not recipe.rules:
        return body, None
    own_keys = exchange.own.keys if exchange.own is not None else None
    draft, attempt = Draft(body), Attempt(recipe.target, request.stream, ids.new_id, own_keys)
    for rule in recipe.rules:
        draft = rule(draft, attempt)
    return draft.body, draft.headers


def _failed_try(reply: Reply, exchange: Exchange) -> Tried | None:
    """What the retry rules must know, or None when this reply stands."""
    if reply.failure is None:
        if reply.status < 400 or reply.abandoned:
            return None
        return Tried(reply.status, retry_after_s=reply.retry_after_s)
    kind, sent = reply.failure.kind, reply.failure.may_have_billed
    if exchange.client.started or not (kind in _ANSWERLESS or (kind is FailureKind.TIMEOUT and not sent)):
        return None
    return Tried(None, sent, stale=kind is FailureKind.STALE, saturated=kind is FailureKind.SATURATED)


def _is_failure(exchange: Exchange, reply: Reply) -> bool | None:
    """What an attempt says about its upstream's health; None: nothing, because caller or gateway had a part in it."""
    failure, status = reply.failure, reply.status
    if failure is None and 200 <= status < 300:
        return None if reply.facts.has_error or reply.abandoned else False
    if reply.abandoned or exchange.client.gone or (failure and failure.kind in _OURS):
        return None
    return None if failure is None and 400 <= status < 500 else True


def _note(exchange: Exchange, services: Services, reply: Reply) -> None:
    upstream, failure, split = reply.candidate.upstream.id, reply.failure, services.split
    what = failure.kind if failure else reply.status
    exchange.attempts.append(f"{upstream}:{what}")
    if failure or reply.status >= 400:
        services.metrics.count_upstream_failure(upstream, str(what))
    if split is not None and not is_byok(exchange.own) and not (reply.abandoned or (failure and failure.kind in _OURS)):
        split.count(upstream, reply.has_error, services.deadlines.now())
