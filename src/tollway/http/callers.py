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
    status: int
    message: str

    @property
    def answer(self) -> Response:
        return JSONResponse({"error": self.message, "success": False}, status_code=self.status)


class Callers:
    """`has_organization(id)`: whether there is one that is not deleted."""

    def __init__(self, authenticator: Authenticator, has_organization: Callable[[str], Awaitable[bool]]) -> None:
        self._authenticator = authenticator
        self._has_organization = has_organization

    async def identify(self, request: Request, organization: str = "") -> Caller | Denied:
        """The caller, as a member of `organization` if one is named. Raises StoreUnavailableError."""
        credential = read_bearer(request.headers.get("authorization", "").encode("latin-1"))
        person = await self._ask(credential, "") if credential else None
        if not isinstance(person, Caller):
            return Denied(401, AUTHENTICATION_REQUIRED)
        if not organization:
            return person
        if not is_uuid(organization):
            return Denied(400, BAD_ORGANIZATION)
        member = await self._ask(credential, organization)
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

    async def _ask(self, credential: str, organization: str) -> Caller | Refusal:
        verdict = self._authenticator.known(credential, organization)
        verdict = verdict or await self._authenticator.authenticate(credential, organization)
        if isinstance(verdict, Refusal):
            _log.warning("AUTH-FAIL", user=verdict.user_id or "?", reason=verdict.reason)
        return verdict
