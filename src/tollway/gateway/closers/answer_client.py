"""Give the client the end of its answer: a refusal, the whole body, or the last bytes of a stream.

What the upstream said of an error is shown redacted, never its headers or raw text (response-path §14).
"""

from tollway.errors import Code, Problem
from tollway.gateway.exchange import Exchange
from tollway.gateway.reply import Reply
from tollway.gateway.services import Failure, FailureKind, Services
from tollway.wire.frames import error_frame
from tollway.wire.upstream_error import read_error

_CODES = {
    FailureKind.SATURATED: Code.OVERLOADED,
    FailureKind.TIMEOUT: Code.UPSTREAM_TIMEOUT,
    FailureKind.BROKEN: Code.UPSTREAM_BROKEN,
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
        _refuse(exchange, _status_problem(reply))
    else:
        client.answer(reply.status, _headers(exchange, reply), reply.body)


def _refuse(exchange: Exchange, problem: Problem, told_error: bool = False) -> None:
    exchange.problem = problem
    client = exchange.client
    if not client.started:
        client.refuse(problem, exchange.id)
    elif told_error:
        client.finish_stream(b"")
    else:  # the stream was begun: one honest error event, and no [DONE]
        client.finish_stream(error_frame(problem.code.value, problem.shown or problem.entry.message, exchange.id))


def _failure_problem(failure: Failure) -> Problem:
    """What an attempt that brought no whole answer looks like to the client."""
    code = _CODES.get(failure.kind, Code.UPSTREAM_UNREACHABLE)
    return Problem(code, failure.detail, retry_after_s=1 if code in (Code.OVERLOADED, Code.DRAINING) else None)


def _status_problem(reply: Reply) -> Problem:
    """What an upstream's own refusal looks like: its status and its words, except where they speak of the operator."""
    if reply.status == 402:  # the operator's account is empty, not the caller's (guarantees U5)
        return Problem(Code.SERVICE_UNAVAILABLE, "upstream answered 402", retry_after_s=60)
    if not 400 <= reply.status <= 599:
        return Problem(Code.UPSTREAM_BROKEN, f"upstream answered {reply.status}")
    retry_after_s = reply.retry_after_s
    if reply.status in (429, 503) and not retry_after_s:
        retry_after_s = 1
    told = read_error(reply.body)
    return Problem(
        Code.UPSTREAM_ERROR,
        f"upstream answered {reply.status}: {told.message or 'no message'}",
        status=reply.status,
        shown=told.message,
        retry_after_s=retry_after_s,
        extra=told.labels,
    )


def _headers(exchange: Exchange, reply: Reply) -> bytes:
    outcome, charge = exchange.outcome, b""
    if outcome and not reply.streamed:
        charge = b"x-tollway-charge-microdollars: %d\r\nx-tollway-charge-basis: %b\r\n" % (
            outcome.charge,
            outcome.basis.encode(),
        )
    date = b"date: %b\r\n" % reply.date if reply.date else b""
    return b"content-type: %b\r\nx-request-id: %b\r\n%b%b" % (reply.content_type, exchange.id.encode(), date, charge)
