"""Keys that callers bring along for inference providers: `/byok-keys…`. No answer has one in it.

They are served twice: with the rest of the management API, and at `/api/byok-keys`, where the list is a bare array
(catalog-and-clients E.3).
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated

from pydantic import Field

from tollway.admin import own_key_probes, own_keys
from tollway.admin.own_keys import KEY_CHARS_MAX
from tollway.admin.records import StoredOwnKey
from tollway.admin.upstream_probes import Probed
from tollway.errors import Code, Problem
from tollway.http.management.call import Access, Current
from tollway.http.management.table import Body, Done, Listing, Table

Secret = Annotated[str, Field(min_length=1, max_length=KEY_CHARS_MAX)]


class NewOwnKey(Body):
    provider_id: Annotated[str, Field(min_length=1, max_length=100)]
    api_key: Secret


class OwnKeyChange(Body):
    """Another key, or whether it is used; one of the two."""

    api_key: Secret | None = None
    is_enabled: bool | None = None


@dataclass(frozen=True, slots=True)
class OwnKeyShown:
    id: str
    provider_id: str
    provider_name: str
    last_four: str
    is_enabled: bool
    created_at: datetime
    updated_at: datetime
    created_by: str


def add_own_keys(table: Table) -> None:
    table.add("GET", "/byok-keys", Access.LOOK, list_own_keys, Listing[OwnKeyShown])
    table.add("GET", "/byok-keys/{own_key_id}/models", Access.LOOK, list_own_key_models, Listing[str])
    _add_changes(table)


def add_bare_own_keys(table: Table) -> None:
    table.add("GET", "/byok-keys", Access.LOOK, list_bare_own_keys, list[OwnKeyShown])
    table.add("GET", "/byok-keys/{own_key_id}/models", Access.LOOK, list_bare_own_key_models, list[str])
    _add_changes(table)


def _add_changes(table: Table) -> None:
    table.add("POST", "/byok-keys", Access.CHANGE, add_own_key, OwnKeyShown, status=201, once=True)
    table.add("PATCH", "/byok-keys/{own_key_id}", Access.CHANGE, change_own_key, OwnKeyShown)
    table.add("DELETE", "/byok-keys/{own_key_id}", Access.CHANGE, delete_own_key, Done)
    table.add("POST", "/byok-keys/{own_key_id}/test", Access.CHANGE, try_own_key, Probed)


async def list_own_keys(call: Current) -> Listing[OwnKeyShown] | Problem:
    """In order of creation; one for each provider at most."""
    found = await own_keys.list_own_keys(call.services.store, call.actor, call.owner)
    if isinstance(found, Problem):
        return found
    return Listing[OwnKeyShown](data=[_shown(one) for one in found], next_cursor=None)


async def list_bare_own_keys(call: Current) -> list[OwnKeyShown] | Problem:
    """In order of creation, as an array; one for each provider at most."""
    found = await list_own_keys(call)
    return found if isinstance(found, Problem) else found.data


async def add_own_key(call: Current, body: NewOwnKey) -> OwnKeyShown | Problem:
    """Bring a key along for a provider."""
    desk = call.services.own_keys(call.actor)
    return _told(await own_keys.add_own_key(desk, call.owner, body.provider_id, body.api_key))


async def change_own_key(call: Current, own_key_id: str, body: OwnKeyChange) -> OwnKeyShown | Problem:
    """Replace the key, or turn it on or off."""
    desk = call.services.own_keys(call.actor)
    if (body.api_key is None) == (body.is_enabled is None):
        return Problem(Code.BAD_REQUEST, shown="name api_key or is_enabled")
    if body.api_key is not None:
        return _told(await own_keys.replace_own_key(desk, call.owner, own_key_id, body.api_key))
    return _told(await own_keys.enable_own_key(desk, call.owner, own_key_id, enabled=body.is_enabled is True))


async def delete_own_key(call: Current, own_key_id: str) -> Done | Problem:
    """It is gone for good."""
    removed = await own_keys.delete_own_key(call.services.own_keys(call.actor), call.owner, own_key_id)
    return removed if isinstance(removed, Problem) else Done()


async def try_own_key(call: Current, own_key_id: str) -> Probed | Problem:
    """Send one tiny request with the key, at its owner's expense; so many an hour for each owner."""
    services = call.services
    return await own_key_probes.try_own_key(services.key_probes, services.own_keys(call.actor), call.owner, own_key_id)


async def list_own_key_models(call: Current, own_key_id: str) -> Listing[str] | Problem:
    """The models of the catalog that can be served with the key."""
    found = await list_bare_own_key_models(call, own_key_id)
    return found if isinstance(found, Problem) else Listing[str](data=found, next_cursor=None)


async def list_bare_own_key_models(call: Current, own_key_id: str) -> list[str] | Problem:
    """The models of the catalog that can be served with the key, as an array."""
    services = call.services
    return await own_key_probes.list_key_models(
        services.key_probes, services.own_keys(call.actor), call.owner, own_key_id
    )


def _told(row: StoredOwnKey | Problem) -> OwnKeyShown | Problem:
    return row if isinstance(row, Problem) else _shown(row)


def _shown(row: StoredOwnKey) -> OwnKeyShown:
    return OwnKeyShown(
        id=row.id,
        provider_id=row.provider_id,
        provider_name=row.provider_id,
        last_four=row.last_four,
        is_enabled=row.is_enabled,
        created_at=row.created_at,
        updated_at=row.updated_at,
        created_by=row.created_by,
    )
