"""Who calls a route of the control plane, and for which organization.

Unlike the chat routes, these say so when nobody may be known by a credential: one body for whatever is wrong with it
(guarantees A2), and the reason in the log. Source: request-path 6.4.3, catalog-and-clients E.1.
"""

from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from fastapi import Request, Response
from fastapi.responses import JSONResponse

from tollway.admin.ownership import NO_ACCESS
from tollway.billing.store import StoreUnavailableError
from tollway.errors import Problem
from tollway.gateway.logins import Logins
from tollway.http.problems import waiting_headers
from tollway.identity.authenticator import Authenticator
from tollway.identity.bearer import read_bearer
from tollway.identity.caller import Caller, Refusal
from tollway.ids import is_uuid
from tollway.observability.logs import get_log

AUTHENTICATION_REQUIRED: Final = "Unauthorized - authentication required"
BAD_ORGANIZATION: Final = "Invalid organization ID format"
NO_ORGANIZATION: Final = "Organization not found"

_log = get_log()


@dataclass(frozen=True, slots=True)
class Denied:
    """`problem`: the refusal as routes show it that answer with problems; None: authentication_required."""

    status: int
    message: str
    problem: Problem | None = None

    @property
    def answer(self) -> Response:
        return JSONResponse({"error": self.message, "success": False}, status_code=self.status, headers=self.headers)

    @property
    def headers(self) -> dict[str, str]:
        return waiting_headers(self.problem) if self.problem else {}


class Callers:
    """`has_organization(id)`: whether there is one that is not deleted. `address_of`: the client's, canonical."""

    def __init__(
        self,
        authenticator: Authenticator,
        has_organization: Callable[[str], Awaitable[bool]],
        logins: Logins,
        address_of: Callable[[Request], str],
    ) -> None:
        self._authenticator = authenticator
        self._has_organization = has_organization
        self._logins = logins
        self._address_of = address_of

    async def identify(self, request: Request, organization: str = "") -> Caller | Denied:
        """The caller, as a member of `organization` if one is named. Raises StoreUnavailableError."""
        credential = read_bearer(request.headers.get("authorization", "").encode("latin-1"))
        if not credential:
            return Denied(401, AUTHENTICATION_REQUIRED)
        person = await self._log_in(credential, request)
        if isinstance(person, Denied):
            return person
        if not organization:
            return person
        if not is_uuid(organization):
            return Denied(400, BAD_ORGANIZATION)
        member = await self._ask(credential, organization, self._authenticator.known(credential, organization))
        if isinstance(member, Caller):
            return member
        if await self._has_organization(organization.lower()):
            return Denied(403, NO_ACCESS)
        return Denied(404, NO_ORGANIZATION)

    async def heed_changes(self) -> None:
        """Look for changes now: whoever made one here sees it at once, other processes within one poll. So does this
        one when the database cannot be asked at this moment."""
        with suppress(StoreUnavailableError):
            await self._authenticator.refresh()

    async def _log_in(self, credential: str, request: Request) -> Caller | Denied:
        known = self._authenticator.known(credential, "")
        if isinstance(known, Caller):
            return known
        address = self._address_of(request)
        too_many = None if self._authenticator.was_good(credential, "") else self._logins.refusal(address)
        if too_many:
            return Denied(too_many.http_status, too_many.shown or too_many.entry.message, too_many)
        is_repeated = known is not None or self._authenticator.is_asking(credential, "")
        person = await self._ask(credential, "", known)
        if isinstance(person, Caller):
            return person
        self._logins.count(address, person, is_repeated=is_repeated)
        return Denied(401, AUTHENTICATION_REQUIRED)

    async def _ask(self, credential: str, organization: str, known: Caller | Refusal | None) -> Caller | Refusal:
        verdict = known or await self._authenticator.authenticate(credential, organization)
        if isinstance(verdict, Refusal):
            _log.warning("AUTH-FAIL", user=verdict.user_id or "?", reason=verdict.reason)
        return verdict
