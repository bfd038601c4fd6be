"""Users: create, list, show, block, unblock, reset tokens, delete."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from tollway.admin.fields import bad, check_email, check_page, check_reference, check_text, missing
from tollway.admin.records import SOFT_DELETED, Page, User, UserChange
from tollway.admin.store import AdminStore, Erasure, UserStore
from tollway.errors import Code, Problem
from tollway.ids import new_id, random_text

PEPPER_CHARS: Final = 32
_KEPT: Final[Mapping[Erasure, str]] = {
    Erasure.LAST_OWNER: "An organization needs at least one owner",
    Erasure.SUBSCRIBED: "The user has an active subscription. Cancel the subscription before deleting the account.",
}


@dataclass(frozen=True, slots=True)
class NewUser:
    """`is_bot`: a service account, which it stays."""

    email: str
    name: str = ""
    is_bot: bool = False


async def create_user(store: UserStore, order: NewUser, now: datetime) -> User | Problem:
    """A user with a fresh pepper. Refuses: bad_request, conflict (the e-mail address is taken)."""
    email = check_email(order.email)
    if isinstance(email, Problem):
        return email
    name = check_text("name", order.name)
    if isinstance(name, Problem):
        return name
    user = User(new_id(), email, name, None, now, is_bot=order.is_bot)
    if not await store.add_user(user, random_text(PEPPER_CHARS)):
        return Problem(Code.CONFLICT, f"there is a user {email!r} already")
    return user


async def show_user(store: UserStore, id_or_email: str) -> User | Problem:
    """Refuses: not_found."""
    user = await store.find_user(named) if (named := check_reference(id_or_email)) else None
    return missing("user", id_or_email) if user is None else user


async def list_users(store: UserStore, page: Page) -> tuple[User, ...] | Problem:
    checked = check_page(page)
    return checked if isinstance(checked, Problem) else await store.list_users(checked)


async def change_user(
    store: UserStore, id_or_email: str, email: str | None, name: str | None, now: datetime
) -> User | Problem:
    """What is None stays. Refuses: bad_request, not_found, conflict (the e-mail address is taken)."""
    address = None if email is None else check_email(email)
    if isinstance(address, Problem):
        return address
    text = None if name is None else check_text("name", name)
    if isinstance(text, Problem):
        return text
    if address is None and text is None:
        return Problem(Code.BAD_REQUEST, shown="name what is to be changed")
    user = await _find_living(store, id_or_email)
    if isinstance(user, Problem):
        return user
    changed = await store.change_user(user.id, UserChange(address, text), now)
    return changed or Problem(Code.CONFLICT, f"there is a user {address!r} already")


async def block_user(store: UserStore, id_or_email: str, reason: str, now: datetime) -> User | Problem:
    """From now on every credential of the user is refused. Refuses: bad_request (no reason), not_found."""
    text = check_text("reason", reason, least=1)
    if isinstance(text, Problem):
        return text
    return await _set_blocked(store, id_or_email, text, now)


async def unblock_user(store: UserStore, id_or_email: str, now: datetime) -> User | Problem:
    """Refuses: not_found, and bad_request for an account that was deleted."""
    return await _set_blocked(store, id_or_email, None, now)


async def reset_tokens(store: UserStore, id_or_email: str, now: datetime) -> User | Problem:
    """Every token of theirs ends, by a fresh pepper; API keys go on. So accounts taken over without one get one.

    Refuses: not_found, and bad_request for an account that was deleted. Source: request-path 6.2.4; catalog E.7.
    """
    user = await _find_living(store, id_or_email)
    if isinstance(user, Problem):
        return user
    return await store.set_pepper(user.id, random_text(PEPPER_CHARS), now) or missing("user", id_or_email)


async def set_admin(store: UserStore, id_or_email: str, *, is_admin: bool, now: datetime) -> User | Problem:
    """Whether the user may do everything that the operator may. For commands alone: nobody is made one over HTTP.

    Refuses: not_found, and bad_request for an account that was deleted.
    """
    user = await _find_living(store, id_or_email)
    if isinstance(user, Problem):
        return user
    return await store.set_admin(user.id, is_admin, now) or missing("user", id_or_email)


async def delete_user(store: AdminStore, id_or_email: str, now: datetime) -> User | Problem:
    """Nothing of theirs opens anything from now on, and what tells who they were is gone; the books stay as they are.

    Own keys, custom upstreams, memberships and limits are deleted, API keys revoked; the row stays under a pseudonym,
    with a fresh pepper. Once more changes nothing. Refuses: not_found, conflict (the only owner of
    an organization, an active subscription).
    Source: catalog-and-clients F.6; guarantees P3.
    """
    user = await show_user(store, id_or_email)
    if isinstance(user, Problem):
        return user
    done = await store.erase_user(user.id, random_text(PEPPER_CHARS), now)
    if done in _KEPT:
        return Problem(Code.CONFLICT, done.value, shown=_KEPT[done])
    return await show_user(store, user.id)


async def _set_blocked(store: UserStore, id_or_email: str, reason: str | None, now: datetime) -> User | Problem:
    user = await _find_living(store, id_or_email)
    if isinstance(user, Problem):
        return user
    changed = await store.set_blocked(user.id, reason, now)
    return missing("user", id_or_email) if changed is None else changed


async def _find_living(store: UserStore, id_or_email: str) -> User | Problem:
    user = await show_user(store, id_or_email)
    if isinstance(user, Problem):
        return user
    if user.blocked_reason and user.blocked_reason.startswith(SOFT_DELETED):
        return bad("user", "was deleted")
    return user
