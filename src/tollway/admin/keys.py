"""API keys: create (the key is shown once), list, revoke."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from tollway.admin.fields import bad, check_amount, check_page, check_reference, check_text, missing
from tollway.admin.organizations import find_organization
from tollway.admin.records import ApiKey, AuditEntry, Page
from tollway.admin.restrictions import check_list
from tollway.admin.store import AdminStore, KeyStore
from tollway.admin.users import show_user
from tollway.errors import Code, Problem
from tollway.identity.keys import RANDOM_CHARS, hash_key, last_four, make_key
from tollway.identity.store import KeyRow
from tollway.ids import new_id, random_text
from tollway.money import Microdollars

MODELS: Final = "model_allow_list"


@dataclass(frozen=True, slots=True)
class NewKey:
    """`user` and `organization` by id, e-mail address or name. `limit_microdollars` None means no limit of its own, and
    an empty `model_allow_list` all models."""

    user: str
    organization: str | None = None
    label: str = ""
    limit_microdollars: int | None = None
    expires_at: datetime | None = None
    model_allow_list: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class CreatedKey:
    """`key` is the secret: it is in no store and cannot be shown again."""

    key: str
    api_key: ApiKey

    def __repr__(self) -> str:
        return f"CreatedKey(key=***, api_key={self.api_key!r})"


@dataclass(frozen=True, slots=True)
class KeyFilter:
    """Keys of one user or organization, by id, e-mail address or name; None: of all."""

    user: str | None = None
    organization: str | None = None


async def create_key(
    store: AdminStore, order: NewKey, pepper: bytes, now: datetime, audit: AuditEntry | None = None
) -> CreatedKey | Problem:
    """Refuses: bad_request (label, limit, expiry, models), not_found (user, organization), forbidden (no member)."""
    label = check_text("label", order.label)
    if isinstance(label, Problem):
        return label
    if order.limit_microdollars is not None:
        amount = check_amount("limit", order.limit_microdollars)
        if isinstance(amount, Problem):
            return amount
    if order.expires_at is not None and order.expires_at <= now:
        return bad("expires", "must be in the future")
    models = check_list(MODELS, order.model_allow_list)
    if isinstance(models, Problem):
        return models
    owner = await _find_owner(store, order.user, order.organization)
    if isinstance(owner, Problem):
        return owner
    user_id, organization_id = owner
    key = make_key(random_text(RANDOM_CHARS))
    limit = None if order.limit_microdollars is None else Microdollars(order.limit_microdollars)
    row = KeyRow(
        id=new_id(),
        secret_hash=hash_key(key, pepper),
        user_id=user_id,
        organization_id=organization_id,
        label=label,
        last_four=last_four(key),
        limit_microdollars=limit,
        expires_at=order.expires_at,
        revoked_at=None,
        created_at=now,
        model_allow_list=models,
    )
    if not await store.add_key(row, audit):
        return Problem(Code.FORBIDDEN, f"{order.user!r} is not a member of {order.organization!r}")
    return CreatedKey(key, _shown(row))


async def list_keys(store: AdminStore, wanted: KeyFilter, page: Page) -> tuple[ApiKey, ...] | Problem:
    """Refuses: bad_request, not_found."""
    checked = check_page(page)
    if isinstance(checked, Problem):
        return checked
    user_id = organization_id = None
    if wanted.user is not None:
        user = await show_user(store, wanted.user)
        if isinstance(user, Problem):
            return user
        user_id = user.id
    if wanted.organization is not None:
        organization = await find_organization(store, wanted.organization)
        if isinstance(organization, Problem):
            return organization
        organization_id = organization.id
    return await store.list_keys(checked, user_id, organization_id)


async def revoke_key(store: KeyStore, key_id: str, now: datetime) -> ApiKey | Problem:
    """From now on the key is refused, in every process within seconds. Refuses: not_found."""
    key = await store.revoke_key(named, now) if (named := check_reference(key_id)) else None
    return missing("key", key_id) if key is None else key


async def _find_owner(store: AdminStore, user: str, organization: str | None) -> tuple[str, str | None] | Problem:
    found = await show_user(store, user)
    if isinstance(found, Problem):
        return found
    if organization is None:
        return found.id, None
    of = await find_organization(store, organization)
    return of if isinstance(of, Problem) else (found.id, of.id)


def _shown(row: KeyRow) -> ApiKey:
    return ApiKey(
        id=row.id,
        user_id=row.user_id,
        organization_id=row.organization_id,
        label=row.label,
        last_four=row.last_four,
        limit_microdollars=row.limit_microdollars,
        spent_microdollars=0,
        expires_at=row.expires_at,
        revoked_at=row.revoked_at,
        created_at=row.created_at,
        model_allow_list=row.model_allow_list,
    )
