"""API keys: `/keys…`. A secret is shown once, when the key is made or rotated."""

from typing import Annotated

from fastapi import Query
from msgspec import UNSET
from pydantic import AwareDatetime, BaseModel, Field

from tollway.admin import key_changes
from tollway.admin.key_changes import KeyChange, KeyDesk
from tollway.admin.keys import CreatedKey
from tollway.admin.records import ApiKey, Page
from tollway.admin.restrictions import ENTRY_CHARS_MAX, LIST_ENTRIES_MAX
from tollway.errors import Problem
from tollway.http.management.call import Access, Call, Current
from tollway.http.management.table import Body, Listing, Table, page_of
from tollway.money import MICRODOLLARS_MAX

Amount = Annotated[int, Field(ge=0, le=MICRODOLLARS_MAX)]
Instant = Annotated[AwareDatetime, Field(strict=False)]
Models = Annotated[list[Annotated[str, Field(max_length=ENTRY_CHARS_MAX)]], Field(max_length=LIST_ENTRIES_MAX)]
Limit = Annotated[int, Query(ge=1, le=200)]
Cursor = Annotated[str | None, Query(max_length=100)]


class KeyBody(Body):
    """What is left out stays, or is not limited."""

    label: Annotated[str, Field(max_length=100)] = ""
    limit_microdollars: Amount | None = None
    expires_at: Instant | None = None
    model_allow_list: Models | None = None

    @property
    def change(self) -> KeyChange:
        named = {name: getattr(self, name) for name in self.model_fields_set}
        if "model_allow_list" in named:
            named["model_allow_list"] = tuple(named["model_allow_list"] or ())
        return KeyChange(**{name: named.get(name, UNSET) for name in KeyChange.__slots__})


class KeyWithSecret(BaseModel):
    """`key` is in no store and cannot be shown again."""

    key: str
    api_key: ApiKey


def add_keys(table: Table) -> None:
    table.add("GET", "/keys", Access.LOOK, list_keys, Listing[ApiKey])
    table.add("POST", "/keys", Access.LOOK, create_key, KeyWithSecret, status=201, once=True)
    table.add("GET", "/keys/{key_id}", Access.LOOK, show_key, ApiKey)
    table.add("PATCH", "/keys/{key_id}", Access.LOOK, change_key, ApiKey)
    table.add("POST", "/keys/{key_id}/rotate", Access.LOOK, rotate_key, KeyWithSecret, once=True)
    table.add("POST", "/keys/{key_id}/revoke", Access.LOOK, revoke_key, ApiKey)


async def list_keys(call: Current, limit: Limit = 100, cursor: Cursor = None) -> Listing[ApiKey] | Problem:
    """One's own keys; of an organization all of them for owners and billing managers."""
    page = Page(limit, cursor)
    found = await key_changes.list_keys_of(key_desk(call), page)
    return found if isinstance(found, Problem) else page_of(found, page)


async def create_key(call: Current, body: KeyBody) -> KeyWithSecret | Problem:
    """A key of one's own, for oneself or for the organization. The secret is shown now and never again."""
    return with_secret(await key_changes.create_key_of(key_desk(call), body.change))


async def show_key(call: Current, key_id: str) -> ApiKey | Problem:
    """One key, without its secret."""
    return await key_changes.find_key(key_desk(call), key_id)


async def change_key(call: Current, key_id: str, body: KeyBody) -> ApiKey | Problem:
    """Label, limit, expiry and models; null lifts a limit, an expiry or a list of models."""
    return await key_changes.change_key(key_desk(call), key_id, body.change)


async def rotate_key(call: Current, key_id: str) -> KeyWithSecret | Problem:
    """Another secret for the same key; the old one ends within seconds."""
    return with_secret(await key_changes.rotate_key(key_desk(call), key_id))


async def revoke_key(call: Current, key_id: str) -> ApiKey | Problem:
    """Refuse the key from now on, in every process within seconds."""
    return await key_changes.revoke_key_of(key_desk(call), key_id)


def key_desk(call: Call) -> KeyDesk:
    return KeyDesk(call.office, call.owner, call.services.pepper, call.caller.key_id)


def with_secret(made: CreatedKey | Problem) -> KeyWithSecret | Problem:
    return made if isinstance(made, Problem) else KeyWithSecret(key=made.key, api_key=made.api_key)
