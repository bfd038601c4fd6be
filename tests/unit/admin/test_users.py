import asyncio
from dataclasses import replace
from datetime import datetime

from tollway.admin.records import Page, User
from tollway.admin.users import (
    NewUser,
    block_user,
    change_user,
    create_user,
    delete_user,
    list_users,
    reset_tokens,
    show_user,
    unblock_user,
)
from tollway.errors import Code, Problem
from tollway.identity.store import UserRow
from tollway.storage.sql.admin.store import SqlAdmin
from tollway.storage.sql.identity import SqlIdentity


def test_a_user_gets_an_id_and_a_fresh_pepper(store: SqlAdmin, now: datetime) -> None:
    async def scenario() -> None:
        ann = await create_user(store, NewUser(" Ann@Example.com ", "Ann"), now)
        bob = await create_user(store, NewUser("bob@example.com"), now)
        assert isinstance(ann, User)
        assert isinstance(bob, User)
        assert (ann.email, ann.name, ann.blocked_reason, ann.created_at) == ("ann@example.com", "Ann", None, now)
        rows = [await SqlIdentity(store._database).user(user.id) for user in (ann, bob)]
        peppers = {row.pepper for row in rows if isinstance(row, UserRow)}
        assert len(peppers) == 2
        assert all(pepper is not None and len(pepper) == 32 for pepper in peppers)

    asyncio.run(scenario())


def test_tokens_end_with_the_pepper_they_have(store: SqlAdmin, now: datetime) -> None:
    async def scenario() -> None:
        ann = await create_user(store, NewUser("ann@example.com"), now)
        assert isinstance(ann, User)
        identity = SqlIdentity(store._database)
        before = await identity.user(ann.id)
        assert await reset_tokens(store, "ann@example.com", now) == ann
        after = await identity.user(ann.id)
        assert before is not None
        assert after is not None
        assert after.pepper not in (None, "", before.pepper)
        assert _code(await reset_tokens(store, "bob@example.com", now)) is Code.NOT_FOUND
        await delete_user(store, ann.id, now)
        assert _code(await reset_tokens(store, ann.id, now)) is Code.BAD_REQUEST

    asyncio.run(scenario())


def test_an_address_is_used_once_in_any_case(store: SqlAdmin, now: datetime) -> None:
    async def scenario() -> None:
        await create_user(store, NewUser("ann@example.com"), now)
        again = await create_user(store, NewUser("ANN@example.com"), now)
        assert isinstance(again, Problem)
        assert again.code is Code.CONFLICT

    asyncio.run(scenario())


def test_wrong_fields_are_refused(store: SqlAdmin, now: datetime) -> None:
    async def scenario() -> None:
        for order in (NewUser("ann"), NewUser("ann@example.com", "a\0")):
            assert _code(await create_user(store, order, now)) is Code.BAD_REQUEST
        assert await list_users(store, Page()) == ()
        assert _code(await list_users(store, Page(0))) is Code.BAD_REQUEST

    asyncio.run(scenario())


def test_a_user_is_found_by_id_or_address(store: SqlAdmin, now: datetime) -> None:
    async def scenario() -> None:
        ann = await create_user(store, NewUser("ann@example.com"), now)
        assert isinstance(ann, User)
        assert await show_user(store, ann.id) == await show_user(store, "Ann@Example.com ") == ann
        for name in ("bob@example.com", "", "a\0"):
            assert _code(await show_user(store, name)) is Code.NOT_FOUND

    asyncio.run(scenario())


def test_blocking_keeps_a_reason_and_can_be_undone(store: SqlAdmin, now: datetime) -> None:
    async def scenario() -> None:
        await create_user(store, NewUser("ann@example.com"), now)
        blocked = await block_user(store, "ann@example.com", " fraud ", now)
        assert isinstance(blocked, User)
        assert blocked.blocked_reason == "fraud"
        assert _code(await block_user(store, "ann@example.com", " ", now)) is Code.BAD_REQUEST
        assert _code(await block_user(store, "bob", "fraud", now)) is Code.NOT_FOUND
        free = await unblock_user(store, "ann@example.com", now)
        assert isinstance(free, User)
        assert free.blocked_reason is None

    asyncio.run(scenario())


def test_a_deleted_account_stays_blocked(store: SqlAdmin, now: datetime) -> None:
    async def scenario() -> None:
        await create_user(store, NewUser("ann@example.com"), now)
        await block_user(store, "ann@example.com", "soft-deleted at 2026-01-01T00:00:00Z", now)
        assert _code(await unblock_user(store, "ann@example.com", now)) is Code.BAD_REQUEST

    asyncio.run(scenario())


def test_deleting_frees_the_address(store: SqlAdmin, now: datetime) -> None:
    async def scenario() -> None:
        ann = await create_user(store, NewUser("ann@example.com", "Ann"), now)
        assert isinstance(ann, User)
        deleted = await delete_user(store, "ann@example.com", now)
        assert isinstance(deleted, User)
        assert (deleted.id, deleted.email) == (ann.id, f"deleted+{ann.id}@deleted.invalid")
        assert deleted.blocked_reason == "soft-deleted at 2026-03-01T12:00:00Z"
        assert _code(await unblock_user(store, ann.id, now)) is Code.BAD_REQUEST
        assert await delete_user(store, ann.id, now) == deleted
        assert _code(await delete_user(store, "ann@example.com", now)) is Code.NOT_FOUND
        assert isinstance(await create_user(store, NewUser("ann@example.com"), now), User)

    asyncio.run(scenario())


def test_each_deleted_user_gets_a_pepper_of_its_own(store: SqlAdmin, now: datetime) -> None:
    """One that is known, or none, would let old tokens in."""

    async def scenario() -> None:
        peppers = set()
        for number in range(3):
            user = await create_user(store, NewUser(f"u{number}@example.com"), now)
            assert isinstance(user, User)
            before = await SqlIdentity(store._database).user(user.id)
            await delete_user(store, user.id, now)
            after = await SqlIdentity(store._database).user(user.id)
            assert before
            assert after
            peppers |= {before.pepper, after.pepper}
        assert len(peppers) == 6
        assert all(peppers)

    asyncio.run(scenario())


def _code(result: object) -> Code | None:
    return result.code if isinstance(result, Problem) else None


def test_a_user_is_changed(store: SqlAdmin, now: datetime) -> None:
    async def scenario() -> None:
        user = await create_user(store, NewUser("ann@example.com", "Ann"), now)
        await create_user(store, NewUser("bob@example.com"), now)
        assert isinstance(user, User)
        changed = await change_user(store, user.id, " Anna@Example.com ", None, now)
        assert changed == replace(user, email="anna@example.com")
        assert await change_user(store, user.id, None, " A ", now) == replace(user, email="anna@example.com", name="A")
        for email, name, code in (
            ("bob@example.com", None, Code.CONFLICT),
            ("nonsense", None, Code.BAD_REQUEST),
            (None, "a\0", Code.BAD_REQUEST),
            (None, None, Code.BAD_REQUEST),
        ):
            assert _code(await change_user(store, user.id, email, name, now)) is code
        assert _code(await change_user(store, "who", None, "A", now)) is Code.NOT_FOUND

    asyncio.run(scenario())
