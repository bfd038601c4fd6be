"""UpstreamStore and OfferedStore: owners, races, and what a catalog never reads."""

import asyncio
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import update
from sqlalchemy.dialects import postgresql, sqlite

from contract.scenario import START
from contract.test_owned import ACME, ACME_ID, ANN, SEALED, add, add_owners, endpoint
from tollway.admin.records import AuditEntry, Member, Organization, Page, User
from tollway.admin.upstream_records import Addition, CustomUpstream, Decided, SealedUpstream
from tollway.errors import Code, Problem
from tollway.identity.caller import Role
from tollway.identity.owned import Owner, OwnerKind
from tollway.storage.sql.admin.store import SqlAdmin
from tollway.storage.sql.database import Database
from tollway.storage.sql.identity import SqlIdentity
from tollway.storage.sql.offered import OF_ORGANIZATION, OF_USER, SqlOffered
from tollway.storage.sql.own_tables import custom_upstreams
from tollway.storage.sql.tables import organizations

LATER = START + timedelta(seconds=1)


def row(id_: str, owner: Owner = ANN, **changes: Any) -> SealedUpstream:
    stored: tuple[Any, ...] = ({"models": []}, True, True, "wxyz", ("X-Team",), START, START, "ann")
    shown = CustomUpstream(id_, owner, f"up{id_}", "Up", "https://a.example", *stored)
    return SealedUpstream(replace(shown, **changes), SEALED, SEALED)


def note(id_: str) -> AuditEntry:
    return AuditEntry(id_, ACME_ID, "ann", "organization.settings.change", "Added custom upstream: x", START)


@pytest.fixture
def admin(database: Database) -> SqlAdmin:
    asyncio.run(add_owners(database))
    return SqlAdmin(database)


async def test_rows_come_back_as_they_went_in_newest_first(admin: SqlAdmin) -> None:
    one, two = row("1"), row("2", created_at=LATER)
    assert await admin.add_upstream(one, 9, None) is Addition.DONE
    assert await admin.add_upstream(two, 9, None) is Addition.DONE
    assert await admin.list_upstreams(ANN) == (two.upstream, one.upstream)
    assert await admin.find_upstream(ANN, "1") == one
    assert await admin.find_upstream(ANN, "UP2") == two
    assert await admin.find_upstream(ACME, "1") is None
    assert await admin.list_upstreams(ACME) == ()


async def test_a_change_touches_only_that_owners_row(admin: SqlAdmin) -> None:
    await admin.add_upstream(row("1"), 9, None)
    asked: list[SealedUpstream] = []

    def decide(found: SealedUpstream) -> Decided:
        asked.append(found)
        shown = replace(found.upstream, display_name="New", has_key=False, is_enabled=False, updated_at=LATER)
        return SealedUpstream(shown, None, None), None

    assert await admin.change_upstream(ACME, "1", decide) is None
    assert asked == []
    changed = await admin.change_upstream(ANN, "1", decide)
    assert isinstance(changed, CustomUpstream)
    assert (changed.display_name, changed.has_key) == ("New", False)
    found = await admin.find_upstream(ANN, "1")
    assert found is not None
    assert (found.upstream, found.sealed_key, found.sealed_headers) == (changed, None, None)
    assert not await admin.remove_upstream(ACME, "1", None)
    assert await admin.remove_upstream(ANN, "1", None)
    assert not await admin.remove_upstream(ANN, "1", None)


async def test_a_change_that_is_refused_changes_nothing(admin: SqlAdmin, database: Database) -> None:
    await admin.add_upstream(row("1", ACME), 9, None)
    await admin.add_upstream(row("2", ACME), 9, None)
    before = await SqlIdentity(database).revision()
    refusal = Problem(Code.BAD_REQUEST)
    assert await admin.change_upstream(ACME, "1", lambda _: refusal) is refusal

    def take_the_others_name(found: SealedUpstream) -> Decided:
        return replace(found, upstream=replace(found.upstream, provider_id="up2")), note("n1")

    taken = await admin.change_upstream(ACME, "1", take_the_others_name)
    assert isinstance(taken, Problem)
    assert taken.code is Code.CONFLICT
    assert await admin.list_audit(ACME_ID, Page()) == ()
    assert await SqlIdentity(database).revision() == before


async def test_every_change_is_heard_of_and_noted(admin: SqlAdmin, database: Database) -> None:
    revisions = [await SqlIdentity(database).revision()]
    for work in (
        admin.add_upstream(row("1", ACME), 9, note("n1")),
        admin.change_upstream(ACME, "1", lambda found: (found, note("n2"))),
        admin.remove_upstream(ACME, "1", note("n3")),
    ):
        assert await work
        changes = await SqlIdentity(database).changes(revisions[-1])
        assert changes.subjects == {ACME_ID}
        revisions.append(changes.revision)
    assert len(set(revisions)) == 4
    assert {entry.id for entry in await admin.list_audit(ACME_ID, Page())} == {"n1", "n2", "n3"}


async def test_no_race_makes_one_too_many_or_two_of_a_name(admin: SqlAdmin) -> None:
    same = [admin.add_upstream(row(str(number), provider_id="same"), 3, None) for number in range(4)]
    assert sorted(one.value for one in await asyncio.gather(*same)) == ["done", "taken", "taken", "taken"]
    others = [admin.add_upstream(row(f"b{number}"), 3, None) for number in range(4)]
    assert sorted(one.value for one in await asyncio.gather(*others)) == ["done", "done", "full", "full"]
    assert len(await admin.list_upstreams(ANN)) == 3


async def test_the_same_row_again_is_done(admin: SqlAdmin) -> None:
    """A transaction whose acknowledgement was lost runs once more."""
    assert [await admin.add_upstream(row("1"), 1, None) for _ in range(2)] == [Addition.DONE] * 2


async def test_what_is_offered_and_to_whom(admin: SqlAdmin, database: Database) -> None:
    """U is a member of A and B, not of X; A comes before B by name."""
    await admin.add_user(User("bob", "bob@example.com", "", None, START), "pepper")
    for id_, name in (("x", "0 other"), ("b", "B"), ("a", "A"), ("gone", "C")):
        await admin.add_organization(Organization(id_, name, "teams", START))
        if id_ != "x":
            await admin.add_member(Member(id_, "ann", "ann@example.com", Role.MEMBER, None), f"m{id_}", START)
    deleted = update(organizations).where(organizations.c.id == "gone").values(deleted_at=START)
    await database.write(lambda connection: connection.execute(deleted))

    def of(id_: str, organization: str | None, provider_id: str, **more: Any) -> dict[str, Any]:
        user = None if organization else "ann"
        return endpoint(id_, user_id=user, organization_id=organization, provider_id=provider_id, **more)

    await add(
        database,
        custom_upstreams,
        of("1", "b", "b1"),
        of("2", "a", "a2"),
        of("3", "a", "a1"),
        of("4", "x", "x1"),
        of("5", None, "u1"),
        of("6", None, "off", is_enabled=False, sealed_key=None),
        of("7", "gone", "g1"),
        endpoint("8", user_id="bob", provider_id="bobs"),
    )
    offered = SqlOffered(database)
    found = await offered.offered("ann", None)
    assert [one.provider_id for one in found] == ["u1", "a1", "a2", "b1"]
    assert [one.owner for one in found[:2]] == [ANN, Owner(OwnerKind.ORGANIZATION, "a")]
    assert [model.id for model in found[0].models] == ["M1"]
    assert [one.provider_id for one in await offered.offered("ann", "a")] == ["a1", "a2"]
    assert [one.provider_id for one in await offered.offered("bob", None)] == ["bobs"]
    assert await offered.offered("nobody", None) == ()
    assert await offered.offered("ann", "gone") == ()


@pytest.mark.parametrize("dialect", [sqlite.dialect(), postgresql.dialect()], ids=lambda one: one.name)
def test_a_catalog_reads_no_secret_and_no_address(dialect: Any) -> None:
    for statement in (OF_USER, OF_ORGANIZATION):
        text = str(statement.compile(dialect=dialect))
        assert not {word for word in ("sealed_key", "sealed_headers", "base_url", "header_names") if word in text}
