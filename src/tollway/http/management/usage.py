"""Usage: `/usage` one by one, `/usage/groups` in sums; both as CSV with `format=csv`.

A member sees what they used themselves; owners and billing managers what the whole organization did.
"""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Any, Final

from fastapi import Query, Response
from fastapi.responses import StreamingResponse
from pydantic import AwareDatetime

from tollway.admin.ownership import MANAGERS, role_of
from tollway.admin.usage import (
    GROUPS_MAX,
    Grouping,
    UsageFilter,
    UsedRequest,
    UsedSum,
    check_filter,
    check_span,
    csv_pages,
    csv_text,
)
from tollway.errors import Code, Problem
from tollway.http.management.call import Access, Call, Current
from tollway.http.management.keys import Cursor, Limit
from tollway.http.management.table import Listing, Table
from tollway.identity.owned import OwnerKind

_CSV: Final = {"content-disposition": 'attachment; filename="usage.csv"'}
_CSV_TYPE: Final = "text/csv; charset=utf-8"


class Format(StrEnum):
    JSON = "json"
    CSV = "csv"


Since = Annotated[AwareDatetime | None, Query(alias="from", description="From then on; 30 days before `to`.")]
Until = Annotated[AwareDatetime | None, Query(alias="to", description="Before then; now.")]
Text = Annotated[str | None, Query(min_length=1, max_length=256)]
GroupBy = Annotated[list[Grouping], Query(max_length=4, description="Several may be given.")]
Offset = Annotated[int, Query(ge=0, le=GROUPS_MAX)]


def add_usage(table: Table) -> None:
    table.add("GET", "/usage", Access.LOOK, list_usage, Listing[UsedRequest])
    table.add("GET", "/usage/groups", Access.LOOK, sum_usage, Listing[UsedSum])


async def list_usage(
    call: Current,
    since: Since = None,
    until: Until = None,
    model: Text = None,
    key_id: Text = None,
    user_id: Text = None,
    limit: Limit = 100,
    cursor: Cursor = None,
    format: Format = Format.JSON,  # noqa: A002  (its name on the wire)
) -> Listing[UsedRequest] | Response | Problem:
    """Requests, newest first. As CSV all of them, up to a million."""
    wanted = await _filter(call, _Entered(since, until, model, key_id, user_id))
    checked = check_filter("cursor", cursor)
    if isinstance(wanted, Problem):
        return wanted
    if isinstance(checked, Problem):
        return checked
    if format is Format.CSV:
        pages = csv_pages(call.services.usage, wanted, cursor)
        return StreamingResponse(_after(await anext(pages), pages), headers=_CSV, media_type=_CSV_TYPE)
    found = await call.services.usage.list_usage(wanted, limit, cursor)
    return Listing[UsedRequest](data=list(found), next_cursor=found[-1].id if len(found) == limit else None)


async def sum_usage(
    call: Current,
    group_by: GroupBy,
    since: Since = None,
    until: Until = None,
    model: Text = None,
    key_id: Text = None,
    user_id: Text = None,
    limit: Limit = 100,
    cursor: Offset = 0,
    format: Format = Format.JSON,  # noqa: A002  (its name on the wire)
) -> Listing[UsedSum] | Response | Problem:
    """Sums by day, model, member or key: newest day first, then what cost most."""
    wanted = await _filter(call, _Entered(since, until, model, key_id, user_id))
    if isinstance(wanted, Problem):
        return wanted
    if format is Format.CSV:
        sums = await call.services.usage.sum_usage(wanted, group_by, GROUPS_MAX, 0)
        return Response(csv_text(sums, UsedSum), headers=_CSV, media_type=_CSV_TYPE)
    found = await call.services.usage.sum_usage(wanted, group_by, limit, cursor)
    following = cursor + limit
    more = len(found) == limit and following <= GROUPS_MAX
    return Listing[UsedSum](data=list(found), next_cursor=str(following) if more else None)


@dataclass(frozen=True, slots=True)
class _Entered:
    since: Any
    until: Any
    model: str | None
    key_id: str | None
    user_id: str | None


async def _filter(call: Call, entered: _Entered) -> UsageFilter | Problem:
    span = check_span(entered.since, entered.until, call.now)
    if isinstance(span, Problem):
        return span
    for name in ("model", "key_id", "user_id"):
        refused = check_filter(name, getattr(entered, name))
        if isinstance(refused, Problem):
            return refused
    whose = await _whose(call, entered.user_id)
    if isinstance(whose, Problem):
        return whose
    organization = call.owner.id if call.owner.kind is OwnerKind.ORGANIZATION else None
    return UsageFilter(*span, whose, organization, organization is None, entered.model, entered.key_id)


async def _whose(call: Call, named: str | None) -> str | Problem | None:
    """The user whose requests are meant; None: those of all members. Refuses: forbidden."""
    mine = call.caller.user_id
    if call.owner.kind is OwnerKind.ORGANIZATION:
        role = await role_of(call.services.store, call.actor, call.owner.id)
        if isinstance(role, Problem) or role in MANAGERS:
            return role if isinstance(role, Problem) else named
    elif call.actor.is_admin:
        return named or mine
    if named not in (None, mine):
        return Problem(Code.FORBIDDEN, "somebody else's usage")
    return mine


async def _after(first: str, rest: AsyncIterator[str]) -> AsyncIterator[str]:
    """The first piece is there before the answer begins, so that what fails at once has a status of its own; what fails
    later breaks the answer off."""
    yield first
    async for piece in rest:
        yield piece
