"""Give the client the end of its answer: a refusal, the whole body, or the last bytes of a stream.

What the upstream said of an error is shown redacted, never its headers or raw text (response-path §14). Of the headers
of a good answer three are passed on: content-type, date and request-id (response-path 2.1).
"""

from tollway.errors import Code, Problem
from tollway.gateway.exchange import Exchange
from tollway.gateway.reply import Reply
from tollway.gateway.services import Services
from tollway.gateway.upstream_port import Failure, FailureKind
from tollway.gateway.upstream_refusal import refusal_of
from tollway.routing.precedence import is_byok
from tollway.wire.answer_head import headers_shown

_UPSTREAM_ERROR = Code.UPSTREAM_ERROR
_CODES = {
    FailureKind.SATURATED: Code.OVERLOADED,
    FailureKind.REFUSED: Code.SERVICE_UNAVAILABLE,
    FailureKind.TIMEOUT: Code.UPSTREAM_TIMEOUT,
    FailureKind.BROKEN: Code.UPSTREAM_BROKEN,
    FailureKind.EMPTY: Code.UPSTREAM_BROKEN,
    FailureKind.TOO_LARGE: Code.UPSTREAM_BROKEN,
    FailureKind.UNWANTED: Code.CLIENT_GONE,
    FailureKind.SHUTDOWN: Code.DRAINING,
}


def run(exchange: Exchange, _: Services) -> None:
    reply = exchange.reply
    if exchange.problem is None and reply is not None:
        _answer(exchange, reply)
    else:
        _refuse(exchange, exchange.problem or Problem(Code.INTERNAL_ERROR))


def _answer(exchange: Exchange, reply: Reply) -> None:
    client = exchange.client
    if client.gone:
        return  # nobody is there
    if reply.failure:
        _refuse(exchange, _failure_problem(reply.failure), reply.told_error)
    elif reply.streamed:
        if not client.started:
            client.start_stream(reply.status, _headers(exchange, reply))
        client.finish_stream(reply.ending)
    elif reply.status >= 300:
        _refuse_as_upstream(exchange, reply)
    else:
        client.answer(reply.status, _headers(exchange, reply), reply.body)


def _refuse(exchange: Exchange, problem: Problem, told_error: bool = False) -> None:
    exchange.problem = problem
    client = exchange.client
    if not client.started:
        client.refuse(problem, exchange.id)
    elif told_error:
        client.finish_stream(b"")
    else:
        client.break_off(problem, exchange.id)


def _refuse_as_upstream(exchange: Exchange, reply: Reply) -> None:
    is_own = is_byok(exchange.own)
    problem = refusal_of(reply, exchange.kind, is_own)
    if is_own and problem.code is _UPSTREAM_ERROR:  # what callers' own upstreams say to them is theirs, word for word
        exchange.problem = problem
        exchange.client.answer(reply.status, _headers(exchange, reply), reply.body)
    else:
        _refuse(exchange, problem)


def _failure_problem(failure: Failure) -> Problem:
    """What an attempt that brought no whole answer looks like to the client."""
    code = _CODES.get(failure.kind, Code.UPSTREAM_UNREACHABLE)
    return Problem(code, failure.detail, retry_after_s=1 if code in (Code.OVERLOADED, Code.DRAINING) else None)


def _headers(exchange: Exchange, reply: Reply) -> bytes:
    outcome, charge = exchange.outcome, b""
    if outcome and not reply.streamed:
        charge = b"x-tollway-charge-microdollars: %d\r\nx-tollway-charge-basis: %b\r\n" % (
            outcome.charge,
            outcome.basis.encode(),
        )
    shown = headers_shown(reply.content_type, reply.date, reply.request_id)
    return b"%bx-request-id: %b\r\n%b" % (shown, exchange.id.encode(), charge)
