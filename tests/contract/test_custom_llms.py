"""LlmStore: a change is whole or not at all, everybody is told of it, and only who was given a model has it."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from contract.commit_fault import CommitFault
from contract.scenario import START
from contract.test_owned import ACME, ACME_ID, ANN, SEALED, add_owners
from tollway.admin.llm_records import CustomLlm, LlmFields
from tollway.admin.model_page import AssignedLlm
from tollway.admin.records import AuditEntry, Page
from tollway.identity.owned import Owned, Owner, OwnerKind, StoredLlm
from tollway.storage.sql.admin.store import SqlAdmin
from tollway.storage.sql.assigned_llms import SqlAssignedLlms
from tollway.storage.sql.database import Database
from tollway.storage.sql.identity import SqlIdentity
from tollway.wire.dialects.parameters import ModelOptions

FIELDS = LlmFields(
    "GPT", "openai", "https://a.example/v1", "gpt-x", 1_000, 100, "low", "none", ("a", "b"), (), True, True
)
ROW = CustomLlm("in/gpt", FIELDS, "wxyz", (), START, START)
STORED = StoredLlm(
    "openai",
    "https://a.example/v1",
    SEALED,
    ModelOptions("in/gpt", "gpt-x", 100, 1_000, "low", "none", ("a", "b"), (), True, True),
)
OTHER = {**SEALED, "sealed": "BB=="}


def audit(id_: str) -> AuditEntry:
    return AuditEntry(id_, ACME_ID, "operator", "organization.settings.change", "x", START)


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
    assert await admin.change_llm(later, None)
    seen.append(await identity.revision())
    assert await admin.list_llms() == (replace(later, organizations=(ACME_ID,)),)
    assert await admin.change_llm(later, OTHER)
    seen.append(await identity.revision())
    assert (await identity.owned(ACME)).llms["in/gpt"].sealed_key == OTHER
    await admin.assign_llm("in/gpt", ACME_ID, False, audit("2"))
    seen.append(await identity.revision())
    assert await identity.owned(ACME) == Owned()
    assert seen == sorted(set(seen))
    assert await audited(database) == 2


async def test_what_changes_nothing_is_told_nobody(database: Database) -> None:
    admin, identity = SqlAdmin(database), SqlIdentity(database)
    await add_owners(database)
    await admin.add_llm(ROW, SEALED)
    await admin.assign_llm("in/gpt", ACME_ID, True, audit("1"))
    before = await identity.revision()
    assert not await admin.add_llm(ROW, OTHER)
    assert not await admin.change_llm(replace(ROW, public_id="in/none"), None)
    assert not await admin.remove_llm("in/none", (audit("2"),))
    await admin.assign_llm("in/gpt", ACME_ID, True, audit("3"))
    await admin.assign_llm("in/none", ACME_ID, False, audit("4"))
    assert await identity.revision() == before
    assert await audited(database) == 1


async def test_one_that_is_removed_is_gone_from_its_organizations(database: Database) -> None:
    admin = SqlAdmin(database)
    await add_owners(database)
    await admin.add_llm(ROW, SEALED)
    await admin.assign_llm("in/gpt", ACME_ID, True, audit("1"))
    assert await admin.remove_llm("in/gpt", (audit("2"),))
    assert await admin.find_llm("in/gpt") is None
    await admin.add_llm(ROW, SEALED)
    assert await admin.list_llms() == (ROW,)  # nobody has the new one of that id
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
        "change": lambda: admin.change_llm(ROW, OTHER),
        "assign": lambda: admin.assign_llm("in/gpt", ACME_ID, True, audit("1")),
        "remove": lambda: admin.remove_llm("in/gpt", ()),
    }
    with CommitFault(database, 1, committed=committed):
        assert await changes[change]() in (True, None)
    assert len(await admin.list_llms()) == (change != "remove")


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
