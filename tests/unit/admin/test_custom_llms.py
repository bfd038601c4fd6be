"""What an operator may say about a custom LLM, and to whom it goes."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from typing import Any

import pytest

from tollway.admin.custom_llms import LlmDesk, add_llm, assign_llm, change_llm, copy_llm, find_llm, remove_llm
from tollway.admin.fields import bad
from tollway.admin.llm_records import CustomLlm, LlmFields
from tollway.admin.organizations import NewOrganization, create_organization
from tollway.admin.own_keys import KEY_CHARS_MAX
from tollway.admin.ownership import Actor
from tollway.admin.records import Page
from tollway.admin.upstream_changes import Sealer
from tollway.errors import Code, Problem
from tollway.identity.owned import Owner, OwnerKind
from tollway.identity.sealing import SealingKeys, unseal
from tollway.ids import random_bytes
from tollway.storage.sql.admin.store import SqlAdmin
from tollway.storage.sql.identity import SqlIdentity
from unit.gateway.fakes import SEALING_KEYS

CANARY = "sk-test-1230000000WXYZ"
FIELDS = LlmFields("Claude", "anthropic", "https://a.example/v1/", "claude-x")


@dataclass(frozen=True)
class World:
    desk: LlmDesk
    acme: str

    async def opened(self) -> dict[str, str]:
        """Acme's, by id: the key in the open, as a request would see it."""
        identity = SqlIdentity(self.desk.store._database)  # type: ignore[attr-defined]
        owned = await identity.owned(Owner(OwnerKind.ORGANIZATION, self.acme))
        return {id_: unseal(llm.sealed_key, llm.place, SEALING_KEYS) for id_, llm in owned.llms.items()}


@pytest.fixture
def play(store: SqlAdmin, now: datetime) -> Callable[[Callable[[World], Awaitable[None]]], None]:
    async def with_world(scenario: Callable[[World], Awaitable[None]]) -> None:
        made = await create_organization(store, NewOrganization("Acme"), now)
        assert not isinstance(made, Problem)
        desk = LlmDesk(store, "in/", Sealer(SEALING_KEYS, random_bytes), now)
        await scenario(World(desk, made.id))

    return lambda scenario: asyncio.run(with_world(scenario))


def test_a_model_is_stored_without_showing_its_key(play: Any) -> None:
    async def scenario(world: World) -> None:
        added = await add_llm(world.desk, " in/Claude ", FIELDS, f" {CANARY}\n")
        assert isinstance(added, CustomLlm)
        assert (added.public_id, added.fields.base_url, added.last_four) == (
            "in/claude",
            "https://a.example/v1",
            "WXYZ",
        )
        assert await world.opened() == {}
        assert await find_llm(world.desk.store, "in/CLAUDE") == added
        given = await assign_llm(world.desk, "in/claude", "Acme")
        assert given == replace(added, organizations=(world.acme,))
        assert await world.opened() == {"in/claude": CANARY}
        dump = "".join(world.desk.store._database._writer.engine.raw_connection().iterdump())  # type: ignore[attr-defined]
        assert CANARY not in dump + repr(added)

    play(scenario)


def test_a_change_keeps_what_it_does_not_name(play: Any) -> None:
    async def scenario(world: World) -> None:
        await add_llm(world.desk, "in/claude", FIELDS, CANARY)
        await assign_llm(world.desk, "in/claude", world.acme)
        changed = await change_llm(world.desk, "in/claude", lambda fields: replace(fields, verbosity="low"))
        assert isinstance(changed, CustomLlm)
        assert changed.fields == replace(FIELDS, verbosity="low", base_url="https://a.example/v1")
        assert await world.opened() == {"in/claude": CANARY}
        await change_llm(world.desk, "in/claude", lambda fields: fields, "sk-other")
        assert await world.opened() == {"in/claude": "sk-other"}
        found = await find_llm(world.desk.store, "in/claude")
        assert isinstance(found, CustomLlm)
        assert (found.last_four, found.fields.verbosity) == ("", "low")

    play(scenario)


def test_giving_twice_is_giving_once_and_is_audited(play: Any) -> None:
    async def scenario(world: World) -> None:
        await add_llm(world.desk, "in/claude", FIELDS, CANARY)
        for assigned in (True, True, False, False, True):
            await assign_llm(world.desk, "in/claude", "Acme", assigned=assigned)
        assert isinstance(await remove_llm(world.desk, "in/claude"), CustomLlm)
        assert await world.opened() == {}
        entries = await world.desk.store.list_audit(world.acme, Page())
        assert sorted(entry.message for entry in entries) == [
            "Assigned custom LLM: in/claude",
            "Assigned custom LLM: in/claude",
            "Removed custom LLM: in/claude",
            "Unassigned custom LLM: in/claude",
        ]
        assert {entry.actor for entry in entries} == {"operator"}

    play(scenario)


@pytest.mark.parametrize(
    ("public_id", "changes", "key", "field"),
    [
        ("", {}, CANARY, "public_id"),
        ("in/", {}, CANARY, "public_id"),
        ("out/claude", {}, CANARY, "public_id"),
        ("in/a\nb", {}, CANARY, "public_id"),
        ("in/" + "x" * 300, {}, CANARY, "public_id"),
        ("in/a", {"display_name": " "}, CANARY, "display_name"),
        ("in/a", {"internal_id": ""}, CANARY, "internal_id"),
        ("in/a", {"vendor": "xai"}, CANARY, "vendor"),
        ("in/a", {"verbosity": "loud"}, CANARY, "verbosity"),
        ("in/a", {"reasoning_effort": "max"}, CANARY, "reasoning_effort"),
        ("in/a", {"context_length": 0}, CANARY, "context_length"),
        ("in/a", {"context_length": 2**31}, CANARY, "context_length"),
        ("in/a", {"completion_tokens_max": -1}, CANARY, "completion_tokens_max"),
        ("in/a", {"base_url": "a.example"}, CANARY, "base_url"),
        ("in/a", {"base_url": "https://u:p@a.example"}, CANARY, "base_url"),
        ("in/a", {"base_url": "https://a.example?x"}, CANARY, "base_url"),
        ("in/a", {}, " ", "api_key"),
        ("in/a", {}, "sk\r\nX: y", "api_key"),
        ("in/a", {}, "sk-ü", "api_key"),
        ("in/a", {}, "x" * (KEY_CHARS_MAX + 1), "api_key"),
    ],
)
def test_what_is_refused(play: Any, public_id: str, changes: dict[str, Any], key: str, field: str) -> None:
    async def scenario(world: World) -> None:
        refused = await add_llm(world.desk, public_id, replace(FIELDS, **changes), key)
        assert isinstance(refused, Problem)
        assert refused.code is Code.BAD_REQUEST
        assert str(refused.shown).startswith(f"{field}: ")
        assert key.strip() == "" or key not in str(refused)
        assert await world.desk.store.list_llms(Page()) == ()

    play(scenario)


def test_an_inside_address_is_the_operators_to_choose(play: Any) -> None:
    async def scenario(world: World) -> None:
        fields = replace(FIELDS, base_url="http://10.0.0.1:8080")
        assert isinstance(await add_llm(world.desk, "in/a", fields, CANARY), CustomLlm)
        taken = await add_llm(world.desk, "in/A", fields, CANARY)
        assert isinstance(taken, Problem)
        assert taken.code is Code.CONFLICT

    play(scenario)


def test_what_is_not_there(play: Any) -> None:
    async def scenario(world: World) -> None:
        desk = world.desk
        await add_llm(desk, "in/a", FIELDS, CANARY)
        for refused in (
            await change_llm(desk, "in/b", lambda fields: fields),
            await remove_llm(desk, "in/b"),
            await assign_llm(desk, "in/b", "Acme"),
            await assign_llm(desk, "in/a", "Nobody"),
        ):
            assert isinstance(refused, Problem)
            assert refused.code is Code.NOT_FOUND

    play(scenario)


def test_a_key_stays_with_its_address(play: Any) -> None:
    """Another path is the same place; another port is not, and there the key must be entered again (guarantees K3)."""

    async def scenario(world: World) -> None:
        desk = world.desk
        await add_llm(desk, "in/a", FIELDS, CANARY, [world.acme])
        moved = await change_llm(desk, "in/a", lambda fields: replace(fields, base_url="https://a.example:443/v2"))
        assert isinstance(moved, CustomLlm)
        for address in ("https://a.example:8443/v1", "http://a.example/v1", "https://b.example/v1"):

            def elsewhere(fields: LlmFields, address: str = address) -> LlmFields:
                return replace(fields, base_url=address, display_name="other")

            refused = await change_llm(desk, "in/a", elsewhere)
            assert isinstance(refused, Problem)
            assert str(refused.shown).startswith("api_key: must be entered again")
            assert await find_llm(desk.store, "in/a") == moved
        done = await change_llm(desk, "in/a", elsewhere, "sk-other")
        assert isinstance(done, CustomLlm)
        assert done.fields.base_url == "https://b.example/v1"
        assert await world.opened() == {"in/a": "sk-other"}

    play(scenario)


def test_who_may_not_name_any_address_is_asked_about_new_ones_only(play: Any) -> None:
    async def scenario(world: World) -> None:
        asked: list[str] = []

        async def guard(address: str) -> Problem | None:
            asked.append(address)
            return bad("base_url", "is inside") if "10.0.0.1" in address else None

        guarded = replace(world.desk, guard=guard)
        inside = replace(FIELDS, base_url="http://10.0.0.1/")
        refused = await add_llm(guarded, "in/a", inside, CANARY)
        assert isinstance(refused, Problem)
        assert isinstance(await add_llm(guarded, "in/b", FIELDS, CANARY), CustomLlm)
        assert isinstance(await add_llm(world.desk, "in/a", inside, CANARY), CustomLlm)  # the operator
        renamed = await change_llm(guarded, "in/a", lambda fields: replace(fields, display_name="x"))
        assert isinstance(renamed, CustomLlm)
        refused = await change_llm(guarded, "in/b", lambda fields: replace(fields, base_url="http://10.0.0.1"), CANARY)
        assert isinstance(refused, Problem)
        assert asked == ["http://10.0.0.1", "https://a.example/v1", "http://10.0.0.1"]

        async def is_guarded(id_: str) -> bool:
            found = await find_llm(world.desk.store, id_)
            assert isinstance(found, CustomLlm)
            return found.is_guarded

        # What was let pass is looked at again at each connection: a name may lead inside by then.
        assert [await is_guarded(id_) for id_ in ("in/a", "in/b")] == [False, True]
        for desk, from_, to in ((world.desk, "in/b", "in/c"), (guarded, "in/a", "in/d")):
            assert isinstance(await copy_llm(desk, from_, to), CustomLlm)
        assert [await is_guarded(id_) for id_ in ("in/c", "in/d")] == [True, False]
        for desk, expected in ((guarded, True), (world.desk, False), (guarded, True)):
            port = f"https://c.example:{8443 + expected}/v1"
            await change_llm(desk, "in/d", partial(replace, base_url=port), CANARY)
            assert await is_guarded("in/d") is expected

    play(scenario)


def test_a_copy_has_the_key_and_nobody_has_the_copy(play: Any) -> None:
    async def scenario(world: World) -> None:
        desk = world.desk
        first = await add_llm(desk, "in/a", FIELDS, CANARY, [world.acme])
        assert isinstance(first, CustomLlm)
        copied = await copy_llm(desk, "in/a", "in/B", "Another")
        assert copied == replace(
            first, public_id="in/b", organizations=(), fields=replace(first.fields, display_name="Another")
        )
        assert await world.opened() == {"in/a": CANARY}
        await assign_llm(desk, "in/b", world.acme)
        assert await world.opened() == {"in/a": CANARY, "in/b": CANARY}
        given = await copy_llm(desk, "in/a", "in/c", organizations=[world.acme.upper()])
        assert isinstance(given, CustomLlm)
        assert (given.organizations, given.fields) == ((world.acme,), first.fields)
        for named, id_, code in (
            ("in/a", "in/b", Code.CONFLICT),
            ("in/x", "in/y", Code.NOT_FOUND),
            ("in/a", "out/y", Code.BAD_REQUEST),
        ):
            refused = await copy_llm(desk, named, id_)
            assert isinstance(refused, Problem)
            assert refused.code is code
        stranger = replace(desk, sealer=Sealer(SealingKeys({"x": bytes(32)}, "x"), random_bytes))
        refused = await copy_llm(stranger, "in/a", "in/d")
        assert isinstance(refused, Problem)
        assert refused.code is Code.CONFLICT

    play(scenario)


def test_every_change_is_told_where_the_model_is(play: Any) -> None:
    async def scenario(world: World) -> None:
        made = await create_organization(world.desk.store, NewOrganization("Beta"), world.desk.now)
        assert not isinstance(made, Problem)
        acme, beta = world.acme, made.id
        desk = replace(world.desk, actor=Actor("root", is_admin=True))

        async def told(organization: str) -> list[str]:
            entries = await desk.store.list_audit(organization, Page())
            assert {entry.actor for entry in entries} <= {"root"}
            return sorted(entry.message.partition(" ")[0] for entry in entries)

        await add_llm(desk, "in/a", FIELDS, CANARY, [acme])
        assert (await told(acme), await told(beta)) == (["Assigned"], [])
        await change_llm(desk, "in/a", lambda fields: fields, None, [acme, beta])
        assert (await told(acme), await told(beta)) == (["Assigned"], ["Assigned"])
        await change_llm(desk, "in/a", lambda fields: replace(fields, verbosity="low"), None, [beta])
        assert (await told(acme), await told(beta)) == (["Assigned", "Unassigned"], ["Assigned", "Updated"])
        await change_llm(desk, "in/a", lambda fields: fields, "sk-another")
        assert await told(beta) == ["Assigned", "Updated", "Updated"]
        await change_llm(desk, "in/a", lambda fields: fields)  # nothing is different
        assert await told(beta) == ["Assigned", "Updated", "Updated"]
        for ids in (["nobody"], ["in\0valid"], [""], [acme, "Acme"]):
            refused = await change_llm(desk, "in/a", lambda fields: fields, None, ids)
            assert isinstance(refused, Problem)
            assert str(refused.shown).startswith("organization_ids: ")
        found = await find_llm(desk.store, "in/a")
        assert isinstance(found, CustomLlm)
        assert found.organizations == (beta,)

    play(scenario)
