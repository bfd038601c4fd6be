"""Find out who is calling. Ends nothing by itself: without a usable credential nobody is known (None)
and the gate for anonymous callers decides.

Refuses only when nobody can know (ledger_unavailable), and who has shown too many bad credentials (rate_limited).
Source: request-path §6, guarantees §3.
"""

from collections.abc import Awaitable

from tollway.billing.store import StoreUnavailableError
from tollway.errors import Code, Problem
from tollway.gateway.exchange import Exchange
from tollway.gateway.services import Services
from tollway.identity.caller import Caller, Refusal
from tollway.observability.logs import get_log

_log = get_log()


def run(exchange: Exchange, services: Services) -> Caller | Problem | Awaitable[Caller | Problem | None] | None:
    notes, authenticator = exchange.inbound.notes, services.authenticator
    if notes.kept is not None:
        verdict = authenticator.verdict_of(notes.kept)
        if verdict.__class__ is Caller:
            return verdict
    headers, credential = exchange.inbound.headers, exchange.inbound.credential
    if not credential:
        return None
    named = headers.get(b"x-tollway-organizationid") or headers.get(b"x-kilocode-organizationid")
    organization = named.decode("latin-1") if named else ""
    kept = notes.kept = authenticator.find(credential, organization)
    verdict = None if kept is None else authenticator.verdict_of(kept)
    if verdict.__class__ is Caller:
        return verdict
    if not authenticator.was_good(credential, organization):
        too_many = services.logins.refusal(exchange.address)
        if too_many:
            return too_many
    if isinstance(verdict, Refusal):
        _note_refusal(verdict, exchange.address, services, is_repeated=True)
        return None
    return _ask(credential, organization, exchange.address, services)


async def _ask(credential: str, organization: str, address: str, services: Services) -> Caller | Problem | None:
    is_repeated = services.authenticator.is_asking(credential, organization)
    try:
        verdict = await services.authenticator.authenticate(credential, organization)
    except StoreUnavailableError as error:
        return Problem(Code.LEDGER_UNAVAILABLE, str(error), retry_after_s=1)
    if isinstance(verdict, Caller):
        return verdict
    _note_refusal(verdict, address, services, is_repeated=is_repeated)
    return None


def _note_refusal(refusal: Refusal, address: str, services: Services, *, is_repeated: bool) -> None:
    services.logins.count(address, refusal, is_repeated=is_repeated)
    _log.warning("AUTH-FAIL", user=refusal.user_id or "?", reason=refusal.reason)
