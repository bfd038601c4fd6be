"""What happened: the audit log of an organization, and one request explained."""

from typing import Annotated, Any, Final

from fastapi import Path, Query, Response
from msgspec.json import encode
from pydantic import AwareDatetime

from tollway.admin.fields import check_page
from tollway.admin.ownership import MANAGERS, role_of
from tollway.admin.records import AuditEntry, AuditFilter, Page
from tollway.admin.usage import check_filter
from tollway.errors import Code, Problem
from tollway.http.explained import Told
from tollway.http.management.call import Access, Call, Current
from tollway.http.management.keys import Cursor, Limit
from tollway.http.management.organizations import ONE
from tollway.http.management.table import Listing, Table, page_of
from tollway.http.management.usage import Text

_NOT_FOUND: Final = Problem(Code.NOT_FOUND, shown="Request not found")
_Since = Annotated[AwareDatetime | None, Query(alias="from", description="From then on.")]
_Until = Annotated[AwareDatetime | None, Query(alias="to", description="Before then.")]
_RequestId = Annotated[str, Path(max_length=64)]


def add_records(table: Table) -> None:
    table.add("GET", f"{ONE}/audit-log", Access.CHANGE, list_audit, Listing[AuditEntry])
    table.add("GET", "/requests/{request_id}", Access.SIGNED_IN, explain_request, dict[str, Any])


async def list_audit(
    call: Current,
    since: _Since = None,
    until: _Until = None,
    user_id: Text = None,
    action: Text = None,
    limit: Limit = 100,
    cursor: Cursor = None,
) -> Listing[AuditEntry] | Problem:
    """Who changed what, newest first; of a time, of one user, of one kind of change."""
    page = check_page(Page(limit, cursor))
    if isinstance(page, Problem):
        return page
    for name, text in (("user_id", user_id), ("action", action)):
        refused = check_filter(name, text)
        if isinstance(refused, Problem):
            return refused
    wanted = AuditFilter(since, until, user_id, action)
    return page_of(await call.services.store.list_audit(call.found.id, page, wanted), page)


async def explain_request(call: Current, request_id: _RequestId) -> Response | Problem:
    """How a request of one's own, or of one's organization, was routed, priced, held and charged."""
    told = await call.services.explain(request_id) if request_id.isprintable() else None
    if told is None or not await _may_see(call, told):
        return _NOT_FOUND
    return Response(encode(told.as_fields if call.actor.is_admin else told.for_callers), media_type="application/json")


async def _may_see(call: Call, told: Told) -> bool:
    """Another tenant's request is as good as missing."""
    if call.actor.is_admin:
        return True
    bound_to = call.caller.organization_id
    if bound_to is not None and told.organization_id != bound_to:
        return False
    if told.user_id == call.caller.user_id:
        return True
    if told.organization_id is None:
        return False
    return await role_of(call.services.store, call.actor, told.organization_id) in MANAGERS
