"""Custom LLMs: `/custom-llms…`, and which organizations are given them. For administrators; no answer has a key in it.

The address of a model must be one that custom upstreams may have: what leads inside is the operator's to allow, by
setting or by command. Source: catalog-and-clients E.5.
"""

from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import Annotated, Any, Final, Literal

from fastapi import Query
from pydantic import Field

from tollway.admin import custom_llms
from tollway.admin.custom_llms import LlmDesk
from tollway.admin.llm_fields import TOKENS_MAX, TOOL_CHARS_MAX, TOOLS_MAX
from tollway.admin.llm_records import CustomLlm, LlmFields
from tollway.admin.own_keys import KEY_CHARS_MAX
from tollway.admin.records import Page
from tollway.errors import Problem
from tollway.http.management.call import Access, Call, Current
from tollway.http.management.keys import Limit
from tollway.http.management.organizations import ONE
from tollway.http.management.table import Body, Done, Listing, Table
from tollway.wire.chat import MODEL_ID_CHARS_MAX

ROOT: Final = "/custom-llms"
LLM: Final = f"{ROOT}/{{llm_id:path}}"  # the ids of models have slashes
GIVEN: Final = f"{ONE}/custom-llms"

_Cursor = Annotated[str | None, Query(max_length=MODEL_ID_CHARS_MAX)]
_Id = Annotated[str, Field(min_length=1, max_length=MODEL_ID_CHARS_MAX)]
_Name = Annotated[str, Field(min_length=1, max_length=200)]
_Address = Annotated[str, Field(min_length=1, max_length=2_048)]
_Secret = Annotated[str, Field(min_length=1, max_length=KEY_CHARS_MAX)]
_Tools = Annotated[list[Annotated[str, Field(min_length=1, max_length=TOOL_CHARS_MAX)]], Field(max_length=TOOLS_MAX)]
_Organizations = Annotated[list[Annotated[str, Field(max_length=36)]], Field(min_length=1, max_length=1_000)]
_Context = Annotated[int, Field(ge=1, le=TOKENS_MAX)]
_Completion = Annotated[int, Field(ge=0, le=TOKENS_MAX)]
_Vendor = Literal["anthropic", "openai"]
_Verbosity = Literal["low", "medium", "high", "max"]
_Effort = Literal["none", "minimal", "low", "medium", "high", "xhigh"]


class _AbilitiesBody(Body):
    """`completion_tokens_max` 0: as the vendor has it. null: not said."""

    context_length: _Context = 200_000
    completion_tokens_max: _Completion = 0
    verbosity: _Verbosity | None = None
    reasoning_effort: _Effort | None = None
    included_tools: _Tools | None = None
    excluded_tools: _Tools | None = None
    supports_image_input: bool = False
    force_reasoning: bool = False


class NewLlmBody(_AbilitiesBody):
    """`vendor`: whose API it speaks; `internal_id`: what the vendor calls it. Without `organization_ids` nobody has it
    yet."""

    public_id: _Id
    vendor: _Vendor
    base_url: _Address
    internal_id: _Id
    api_key: _Secret
    display_name: _Name | None = None
    organization_ids: _Organizations | None = None


class LlmChangeBody(_AbilitiesBody):
    """What is left out stays. With another scheme, host or port the key must be entered again. `organization_ids`: all
    that have it from now on."""

    vendor: _Vendor = "openai"
    base_url: _Address = ""
    internal_id: _Id = ""
    api_key: _Secret = ""
    display_name: _Name = ""
    organization_ids: Annotated[_Organizations, Field(default_factory=list)]


class LlmCopyBody(Body):
    """`display_name` null: the same. Without `organization_ids` nobody has it yet."""

    public_id: _Id
    display_name: _Name | None = None
    organization_ids: _Organizations | None = None


class GivenBody(Body):
    public_id: _Id


@dataclass(frozen=True, slots=True)
class LlmShown:
    """`last_four` of the key; empty for a short one."""

    public_id: str
    display_name: str
    vendor: str
    base_url: str
    internal_id: str
    last_four: str
    context_length: int
    completion_tokens_max: int
    verbosity: str | None
    reasoning_effort: str | None
    included_tools: list[str] | None
    excluded_tools: list[str] | None
    supports_image_input: bool
    force_reasoning: bool
    organization_ids: list[str]
    created_at: datetime
    updated_at: datetime


def add_custom_llms(table: Table) -> None:
    table.add("GET", ROOT, Access.ADMINISTRATOR, list_llms, Listing[LlmShown])
    table.add("POST", ROOT, Access.ADMINISTRATOR, create_llm, LlmShown, status=201, once=True)
    table.add("POST", f"{LLM}/copy", Access.ADMINISTRATOR, copy_llm, LlmShown, status=201, once=True)
    table.add("GET", LLM, Access.ADMINISTRATOR, show_llm, LlmShown)
    table.add("PATCH", LLM, Access.ADMINISTRATOR, change_llm, LlmShown)
    table.add("DELETE", LLM, Access.ADMINISTRATOR, delete_llm, Done)
    table.add("POST", GIVEN, Access.ADMINISTRATOR, assign_llm, LlmShown, once=True)
    table.add("DELETE", f"{GIVEN}/{{llm_id:path}}", Access.ADMINISTRATOR, unassign_llm, LlmShown)


async def list_llms(call: Current, limit: Limit = 100, cursor: _Cursor = None) -> Listing[LlmShown] | Problem:
    """All of them, newest first, without their keys."""
    found = await custom_llms.list_llms(call.services.store, Page(limit, cursor))
    if isinstance(found, Problem):
        return found
    last = found[-1].public_id if len(found) == limit else None
    return Listing[LlmShown](data=[_shown(one) for one in found], next_cursor=last)


async def create_llm(call: Current, body: NewLlmBody) -> LlmShown | Problem:
    """A model at a vendor, and who is given it; its key is never shown."""
    entered = _fields(body)
    fields = LlmFields(**{**entered, "display_name": body.display_name or body.public_id})
    return _told(
        await custom_llms.add_llm(_desk(call), body.public_id, fields, body.api_key, body.organization_ids or ())
    )


async def copy_llm(call: Current, llm_id: str, body: LlmCopyBody) -> LlmShown | Problem:
    """Another model with the same address and key. It is given to those that are named here."""
    given = body.organization_ids or ()
    return _told(await custom_llms.copy_llm(_desk(call), llm_id, body.public_id, body.display_name, given))


async def show_llm(call: Current, llm_id: str) -> LlmShown | Problem:
    """One of them, without its key."""
    return _told(await custom_llms.find_llm(call.services.store, llm_id))


async def change_llm(call: Current, llm_id: str, body: LlmChangeBody) -> LlmShown | Problem:
    """Only what is named changes."""
    entered, named = _fields(body), body.model_fields_set
    key = body.api_key if "api_key" in named else None
    given = body.organization_ids if "organization_ids" in named else None

    def change(fields: LlmFields) -> LlmFields:
        return replace(fields, **entered)

    return _told(await custom_llms.change_llm(_desk(call), llm_id, change, key, given))


async def delete_llm(call: Current, llm_id: str) -> Done | Problem:
    """For good, with its key, and from every organization."""
    removed = await custom_llms.remove_llm(_desk(call), llm_id)
    return removed if isinstance(removed, Problem) else Done()


async def assign_llm(call: Current, body: GivenBody) -> LlmShown | Problem:
    """Give a model to the organization: its members call it without charge. Twice is as once."""
    return _told(await custom_llms.assign_llm(_desk(call), body.public_id, call.found.id))


async def unassign_llm(call: Current, llm_id: str) -> LlmShown | Problem:
    """Take a model back from the organization. Twice is as once."""
    return _told(await custom_llms.assign_llm(_desk(call), llm_id, call.found.id, assigned=False))


def _desk(call: Call) -> LlmDesk:
    return call.services.custom_llms(call.actor)


def _fields(body: Body) -> dict[str, Any]:
    """What was entered of the fields of a model."""
    entered = body.model_dump(exclude_unset=True, exclude={"public_id", "api_key", "organization_ids"})
    return {name: tuple(value) if isinstance(value, list) else value for name, value in entered.items()}


def _told(row: CustomLlm | Problem) -> LlmShown | Problem:
    return row if isinstance(row, Problem) else _shown(row)


def _shown(row: CustomLlm) -> LlmShown:
    rest: dict[str, Any] = {"last_four": row.last_four, "created_at": row.created_at, "updated_at": row.updated_at}
    told: dict[str, Any] = {
        name: list(value) if isinstance(value, tuple) else value for name, value in asdict(row.fields).items()
    }
    return LlmShown(public_id=row.public_id, organization_ids=list(row.organizations), **told, **rest)
