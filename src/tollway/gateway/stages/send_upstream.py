"""Call the candidates until one answers, and relay that answer up to its last bytes.

Tries again only while the client has received nothing, within the rules of `routing/fallback.py`. The last try that an
upstream has seen stands, also when later ones came to nothing, because it may have been billed. Refuses:
upstream_unreachable, upstream_timeout, upstream_broken, upstream_error, upstream_redirect, overloaded, client_gone,
upstream_unavailable (they all keep failing, and are left alone for a while), journal_unavailable (nothing is sent that
could not be accounted for), service_unavailable (an endpoint of the caller's is where it may not be),
unsupported_content (its dialect has no word for it); own_key_refused, vendor_error, context_length_exceeded,
stealth_model_error in place of the upstream's.
"""

import asyncio
from math import ceil
from typing import Final

from msgspec.json import Encoder
from msgspec.structs import replace

from tollway import ids
from tollway.billing.store import JournalUnavailableError
from tollway.errors import Code, Problem
from tollway.gateway.copying_sink import CopyingSink
from tollway.gateway.exchange import Exchange
from tollway.gateway.opening import opening_entry
from tollway.gateway.outgoing import Outgoing, outgoing
from tollway.gateway.reply import NO_FACTS, Reply
from tollway.gateway.report_refusal import report_refusal
from tollway.gateway.services import Services
from tollway.gateway.upstream_port import Failure, FailureKind, ReplySink
from tollway.observability.logs import get_log
from tollway.providers.extra_headers import with_headers
from tollway.routing.breaker import Breaker
from tollway.routing.fallback import Tried, pause_before_retry
from tollway.routing.plan import Candidate
from tollway.routing.precedence import is_byok
from tollway.steps import Later

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
        sending = outgoing(exchange, services, candidate)
        if not isinstance(sending, Outgoing):
            sending = sending if isinstance(sending, Problem) else await sending
            if isinstance(sending, Problem):
                breaker.end(turn, None, now)
                return standing or sending
        try:
            if exchange.hold is not None:
                services.funds.open(exchange.id, opening_entry(exchange, candidate))
        except JournalUnavailableError as error:
            breaker.end(turn, None, now)
            return standing or Problem(Code.JOURNAL_UNAVAILABLE, str(error), retry_after_s=1)
        reply = await _attempt(exchange, services, candidate, sending, retries + 1, fresh)
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
    owner = _breaker_owner(exchange) if exchange.own is not None else ""
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


def _breaker_owner(exchange: Exchange) -> str:
    """Nobody's endpoint or key touches another's breaker; a custom LLM has one for all who were given it."""
    if is_byok(exchange.own):
        return f"{exchange.caller.organization_id or exchange.caller.user_id} {exchange.model.id}"
    return exchange.model.id


async def _attempt(
    exchange: Exchange, services: Services, candidate: Candidate, sending: Outgoing, number: int, fresh: bool
) -> Reply:
    settings, timeouts, upstream = services.settings, services.settings.timeouts, candidate.upstream
    request_id = exchange.id.encode()
    relay = sending.relay(
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
    body, headers = _encode(sending.body), sending.headers
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
    copy = None if services.transcripts is None else services.transcripts.copy_for(exchange.caller, body)
    sink: ReplySink = relay if copy is None else CopyingSink(relay, copy)
    kept = None if fresh else services.client.send_kept(upstream, head, body, sink, headers_s)
    sent = kept or await services.client.send_fresh(upstream, head, body, sink, headers_s)
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
    return reply if copy is None else replace(reply, copy=copy)


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
        split.count(upstream, reply.has_error or failure is not None, services.deadlines.now())
