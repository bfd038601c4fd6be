"""What an operator may say about a custom LLM, and to whom it goes."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import pytest

from tollway.admin.custom_llms import LlmDesk, add_llm, assign_llm, change_llm, find_llm, remove_llm
from tollway.admin.llm_records import CustomLlm, LlmFields
from tollway.admin.organizations import NewOrganization, create_organization
from tollway.admin.own_keys import KEY_CHARS_MAX
from tollway.admin.records import Page
from tollway.errors import Code, Problem
from tollway.identity.owned import Owner, OwnerKind
from tollway.identity.sealing import seal, unseal
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
        desk = LlmDesk(store, "in/", lambda text, place: seal(text, place, SEALING_KEYS, random_bytes), now)
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
        ("", {}, CANARY, "id"),
        ("in/", {}, CANARY, "id"),
        ("out/claude", {}, CANARY, "id"),
        ("in/a\nb", {}, CANARY, "id"),
        ("in/" + "x" * 300, {}, CANARY, "id"),
        ("in/a", {"display_name": " "}, CANARY, "name"),
        ("in/a", {"internal_id": ""}, CANARY, "model"),
        ("in/a", {"vendor": "xai"}, CANARY, "vendor"),
        ("in/a", {"verbosity": "loud"}, CANARY, "verbosity"),
        ("in/a", {"reasoning_effort": "max"}, CANARY, "reasoning effort"),
        ("in/a", {"context_length": 0}, CANARY, "context length"),
        ("in/a", {"context_length": 2**31}, CANARY, "context length"),
        ("in/a", {"completion_tokens_max": -1}, CANARY, "completion tokens"),
        ("in/a", {"base_url": "a.example"}, CANARY, "base URL"),
        ("in/a", {"base_url": "https://u:p@a.example"}, CANARY, "base URL"),
        ("in/a", {"base_url": "https://a.example?x"}, CANARY, "base URL"),
        ("in/a", {}, " ", "key"),
        ("in/a", {}, "sk\r\nX: y", "key"),
        ("in/a", {}, "sk-ü", "key"),
        ("in/a", {}, "x" * (KEY_CHARS_MAX + 1), "key"),
    ],
)
def test_what_is_refused(play: Any, public_id: str, changes: dict[str, Any], key: str, field: str) -> None:
    async def scenario(world: World) -> None:
        refused = await add_llm(world.desk, public_id, replace(FIELDS, **changes), key)
        assert isinstance(refused, Problem)
        assert refused.code is Code.BAD_REQUEST
        assert str(refused.shown).startswith(f"{field}: ")
        assert key.strip() == "" or key not in str(refused)
        assert await world.desk.store.list_llms() == ()

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
