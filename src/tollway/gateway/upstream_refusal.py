"""What an upstream's refusal looks like to the client. Pure.

Its status stays, and of its words the error's message, code and type, redacted; but what speaks of the operator's
account, or of who hosts a hidden model, does not, and what only the caller can mend says so. The first rule that
applies counts. Source: response-path 3.1, 3.2, 5.12, §14; request-path 12.5.6; guarantees U5, U6.
"""

from typing import Final

from tollway.catalog.classification import ModelKind
from tollway.errors import CATALOGUE, Code, Problem
from tollway.gateway.reply import Reply
from tollway.wire.dialects.refusal import reason_phrase
from tollway.wire.token_estimate import tokens_asked
from tollway.wire.upstream_error import read_error

OPERATOR_WAITS_S: Final = 60  # until an operator may have paid
_WAITS: Final = (429, 503)
_OWN_KEY: Final = {
    401: CATALOGUE[Code.OWN_KEY_INVALID].message,
    402: "[BYOK] Your API account has insufficient funds. Please check your billing details with your API provider.",
    403: (
        "[BYOK] Your API key does not have permission to access this resource. Please check your API key permissions."
    ),
    429: (
        "[BYOK] Your API key has hit its rate limit. "
        "Please try again later or check your rate limit settings with your API provider."
    ),
}


def refusal_of(reply: Reply, kind: ModelKind, is_byok: bool) -> Problem:
    """For a reply whose status is 300 or above. `is_byok`: the caller's own key, or an upstream of the caller's own."""
    status = reply.status
    if 300 <= status < 400:
        return Problem(Code.UPSTREAM_REDIRECT, f"upstream answered {status}")
    if not 400 <= status <= 599:
        return Problem(Code.UPSTREAM_BROKEN, f"upstream answered {status}")
    if status == 402 and not is_byok:  # the operator's account is empty, not the caller's
        return Problem(Code.SERVICE_UNAVAILABLE, "upstream answered 402", retry_after_s=OPERATOR_WAITS_S)
    wait = reply.retry_after_s or (1 if status in _WAITS else None)
    told = read_error(reply.body)
    detail = f"upstream answered {status}: {told.message or 'no message'}"
    readable = _readable(reply, kind, is_byok)
    if readable is not None:
        code, text = readable
        return Problem(code, detail, status=status, shown=text, title=text, retry_after_s=wait)
    if reply.candidate.upstream.provider.is_translated:
        shown = told.message or reason_phrase(status)
        return Problem(Code.VENDOR_ERROR, detail, status=status, shown=shown, retry_after_s=wait, extra=told.labels)
    return Problem(
        Code.UPSTREAM_ERROR, detail, status=status, shown=told.message, retry_after_s=wait, extra=told.labels
    )


def _readable(reply: Reply, kind: ModelKind, is_byok: bool) -> tuple[Code, str] | None:
    """A text of ours, where it helps more than the upstream's or hides it."""
    if is_byok and reply.status in _OWN_KEY:
        return Code.OWN_KEY_REFUSED, _OWN_KEY[reply.status]
    if kind.entry is None:
        return None
    most, asked = kind.entry.context_length, tokens_asked(reply.sent_body)
    if asked >= most:
        text = f"The maximum context length is {most} tokens. However, about {asked} tokens were requested."
        return Code.CONTEXT_LENGTH_EXCEEDED, text
    if kind.is_stealth:
        return Code.STEALTH_MODEL_ERROR, CATALOGUE[Code.STEALTH_MODEL_ERROR].message
    return None
