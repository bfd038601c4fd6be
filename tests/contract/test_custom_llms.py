"""LlmStore: a change is whole or not at all, everybody is told of it, and only who was given a model has it."""

import asyncio
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from contract.commit_fault import CommitFault
from contract.scenario import START
from contract.test_owned import ACME, ACME_ID, ANN, SEALED, add_owners
from tollway.admin.llm_records import CustomLlm, DecideLlm, LlmChange, LlmFields
from tollway.admin.model_page import AssignedLlm
from tollway.admin.records import AuditEntry, Organization, Page
from tollway.errors import Code, Problem
from tollway.identity.owned import Owned, Owner, OwnerKind, StoredLlm
from tollway.storage.sql.admin.store import SqlAdmin
from tollway.storage.sql.assigned_llms import SqlAssignedLlms
from tollway.storage.sql.database import Database
from tollway.storage.sql.identity import SqlIdentity
from tollway.wire.dialects.parameters import ModelOptions

FIELDS = LlmFields(
    "GPT", "openai", "https://a.example/v1", "gpt-x", 1_000, 100, "low", "none", ("a", "b"), (), True, True
)
ROW = CustomLlm("in/gpt", FIELDS, "wxyz", (), START, START, is_guarded=True)
STORED = StoredLlm(
    "openai",
    "https://a.example/v1",
    SEALED,
    ModelOptions("in/gpt", "gpt-x", 100, 1_000, "low", "none", ("a", "b"), (), True, True),
    is_guarded=True,
)
OTHER = {**SEALED, "sealed": "BB=="}
NO = Problem(Code.BAD_REQUEST)


def audit(id_: str) -> AuditEntry:
    return AuditEntry(id_, ACME_ID, "operator", "organization.settings.change", "x", START)


def becomes(row: CustomLlm, sealed: Any = None, *audits: AuditEntry) -> DecideLlm:
    return lambda _: LlmChange(row, sealed, audits)


async def audited(database: Database) -> int:
    return len(await SqlAdmin(database).list_audit(ACME_ID, Page()))


async def test_the_gateway_sees_what_was_given_and_is_told(database: Database) -> None:
    admin, identity = SqlAdmin(database), SqlIdentity(database)
    await add_owners(database)
    seen = [await identity.revision()]
    assert await admin.add_llm(ROW, SEALED)
    assert await identity.owned(ACME) == Owned()
    await admin.assign_llm("in/gpt", ACME_ID, True, audit("1"))
    seen.append(await identity.revision())
    assert await identity.owned(ACME) == Owned(llms={"in/gpt": STORED})
    for other in (ANN, Owner(OwnerKind.ORGANIZATION, "22222222-2222-4222-8222-222222222222")):
        assert await identity.owned(other) == Owned()
    later = replace(ROW, fields=replace(FIELDS, included_tools=None), updated_at=START + timedelta(seconds=1))
    later = replace(later, organizations=(ACME_ID,))
    assert await admin.change_llm("in/gpt", becomes(later)) == later
    seen.append(await identity.revision())
    assert await admin.list_llms(Page()) == (later,)
    assert await admin.find_llm_key("in/gpt") == SEALED
    assert await admin.change_llm("in/gpt", becomes(later, OTHER)) == later
    seen.append(await identity.revision())
    assert (await identity.owned(ACME)).llms["in/gpt"].sealed_key == OTHER
    await admin.assign_llm("in/gpt", ACME_ID, False, audit("2"))
    seen.append(await identity.revision())
    assert await identity.owned(ACME) == Owned()
    assert seen == sorted(set(seen))
    assert [(await identity.changes(one)).subjects for one in seen[:-1]] == [None] * 4, "whom it was given is not told"
    assert await audited(database) == 2


async def test_what_changes_nothing_is_told_nobody(database: Database) -> None:
    admin, identity = SqlAdmin(database), SqlIdentity(database)
    await add_owners(database)
    await admin.add_llm(ROW, SEALED)
    await admin.assign_llm("in/gpt", ACME_ID, True, audit("1"))
    before = await identity.revision()
    assert not await admin.add_llm(ROW, OTHER)
    assert await admin.change_llm("in/none", becomes(ROW)) is None
    assert await admin.change_llm("in/gpt", lambda _: NO) == NO
    assert await admin.remove_llm("in/none", audit) is None
    assert await admin.find_llm_key("in/none") is None
    await admin.assign_llm("in/gpt", ACME_ID, True, audit("3"))
    await admin.assign_llm("in/none", ACME_ID, False, audit("4"))
    assert await identity.revision() == before
    assert await audited(database) == 1


async def test_one_that_is_removed_is_gone_from_its_organizations(database: Database) -> None:
    admin = SqlAdmin(database)
    await add_owners(database)
    await admin.add_llm(ROW, SEALED)
    await admin.assign_llm("in/gpt", ACME_ID, True, audit("1"))
    assert await admin.remove_llm("in/gpt", audit) == replace(ROW, organizations=(ACME_ID,))
    assert await admin.find_llm("in/gpt") is None
    await admin.add_llm(ROW, SEALED)
    assert await admin.list_llms(Page()) == (ROW,)  # nobody has the new one of that id
    assert await audited(database) == 2


@pytest.mark.parametrize("committed", [True, False], ids=["committed", "lost"])
@pytest.mark.parametrize("change", ["add", "change", "assign", "remove"])
async def test_a_commit_that_nobody_confirms_changes_nothing_about_the_answer(
    database: Database, change: str, committed: bool
) -> None:
    """The transaction is run again and finds what it did."""
    admin = SqlAdmin(database)
    await add_owners(database)
    if change != "add":
        await admin.add_llm(ROW, SEALED)
    changes: dict[str, Any] = {
        "add": lambda: admin.add_llm(ROW, SEALED),
        "change": lambda: admin.change_llm("in/gpt", becomes(ROW, OTHER)),
        "assign": lambda: admin.assign_llm("in/gpt", ACME_ID, True, audit("1")),
        "remove": lambda: admin.remove_llm("in/gpt", audit),
    }
    with CommitFault(database, 1, committed=committed):
        assert await changes[change]() in ((None,) if change == "assign" else (True, ROW))
    assert len(await admin.list_llms(Page())) == (change != "remove")


async def test_a_catalog_shows_an_organization_what_it_was_given_and_nothing_secret(database: Database) -> None:
    admin, assigned = SqlAdmin(database), SqlAssignedLlms(database)
    await add_owners(database)
    for id_ in ("in/gpt", "in/another", "in/nobodys"):
        assert await admin.add_llm(replace(ROW, public_id=id_), SEALED)
    for number, id_ in enumerate(("in/gpt", "in/another")):
        await admin.assign_llm(id_, ACME_ID, True, audit(str(number)))
    shown = [AssignedLlm(id_, "GPT", 1_000, 100, True, ("a", "b"), ()) for id_ in ("in/another", "in/gpt")]
    assert await assigned.assigned(ACME_ID) == tuple(shown)
    assert await assigned.assigned("22222222-2222-4222-8222-222222222222") == ()


BETA_ID = "33333333-3333-4333-8333-333333333333"


async def test_a_model_is_added_given_and_told_in_one(database: Database) -> None:
    admin, identity = SqlAdmin(database), SqlIdentity(database)
    await add_owners(database)
    given = replace(ROW, organizations=(ACME_ID,))
    assert await admin.add_llm(given, SEALED, (audit("1"),))
    assert await identity.owned(ACME) == Owned(llms={"in/gpt": STORED})
    assert await admin.list_llms(Page()) == (given,)
    assert not await admin.add_llm(given, SEALED, (audit("2"),))
    assert await audited(database) == 1


@pytest.mark.parametrize("committed", [True, False], ids=["committed", "lost"])
async def test_who_has_it_is_replaced_as_a_whole(database: Database, committed: bool) -> None:
    """And told once, although the transaction is run twice."""
    admin, identity = SqlAdmin(database), SqlIdentity(database)
    await add_owners(database)
    await admin.add_organization(Organization(BETA_ID, "Beta", "teams", START))
    assert await admin.add_llm(replace(ROW, organizations=(ACME_ID,)), SEALED, (audit("1"),))
    moved = replace(ROW, organizations=(BETA_ID,))
    with CommitFault(database, 1, committed=committed):
        assert await admin.change_llm("in/gpt", becomes(moved, None, audit("2"))) == moved
    assert await identity.owned(ACME) == Owned()
    assert (await identity.owned(Owner(OwnerKind.ORGANIZATION, BETA_ID))).llms == {"in/gpt": STORED}
    assert await admin.find_llm("in/gpt") == moved
    assert await audited(database) == 2


async def test_changes_at_once_all_last(database: Database) -> None:
    admin = SqlAdmin(database)
    await admin.add_llm(ROW, SEALED)

    def naming(**changes: Any) -> DecideLlm:
        return lambda row: LlmChange(replace(row, fields=replace(row.fields, **changes)), None, ())

    named = {"display_name": "other", "verbosity": "high", "context_length": 7, "included_tools": None}
    await asyncio.gather(*(admin.change_llm("in/gpt", naming(**{name: value})) for name, value in named.items()))
    assert await admin.find_llm("in/gpt") == replace(ROW, fields=replace(FIELDS, **named))


async def test_pages_of_models_cover_everything_once(database: Database) -> None:
    admin = SqlAdmin(database)
    ids = [f"in/{number}" for number in range(5)]
    for number, id_ in enumerate(ids):
        await admin.add_llm(replace(ROW, public_id=id_, created_at=START + timedelta(seconds=number // 2)), SEALED)
    paged: list[str] = []
    while page := await admin.list_llms(Page(2, paged[-1] if paged else None)):
        paged += [one.public_id for one in page]
    assert paged == ids[::-1]
    assert await admin.list_llms(Page(2, "in/none")) == ()


async def test_an_organization_that_is_deleted_has_none_any_more(database: Database) -> None:
    admin = SqlAdmin(database)
    await add_owners(database)
    await admin.add_llm(replace(ROW, organizations=(ACME_ID,)), SEALED)
    await admin.delete_organization(ACME_ID, START, None)
    assert await admin.list_llms(Page()) == (ROW,)
