"""A promotion of an operator's own preset: who it is for pays nothing and needs no balance, and the books balance."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from flow.accounts import Account
from flow.programs import Gateway, Sim, settings_for
from flow.usage_rows import usage_of
from tollway.admin.organizations import change_organization
from tollway.admin.records import OrganizationChange
from tollway.errors import Problem
from tollway.storage.sql.admin.store import SqlAdmin
from tollway.storage.sql.database import Database
from vectors.test_request_authentication import SECRET, World

PRESET = """
[[promotions]]
claim = "bot_id"
value = "reviewer"
model = "sim/story"
end = "2999-01-01"

[[promotions]]
claim = "token_source"
value = "cloud"
model = "sim/story"
end = "2020-01-01"
"""


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory, sim: Sim) -> Iterator[Gateway]:
    folder: Path = tmp_path_factory.mktemp("promotions")
    (folder / "mine.toml").write_text(PRESET)
    top = f'preset = "{folder}/mine.toml"'
    program = Gateway(folder, settings_for(folder, sim.url, top=top) + f'\n[jwt]\nsecret = "{SECRET.decode()}"\n')
    yield program
    program.stop()


@pytest.fixture
def world(gateway: Gateway) -> Iterator[World]:
    made = World(gateway)
    yield made
    assert made.accounts.differences() == ()


def bearer(world: World, account: Account, **claims: object) -> dict[str, str]:
    return {"Authorization": f"Bearer {world.token(account, **claims)}"}


@pytest.mark.parametrize("microdollars", [0, 5_000_000])
def test_who_is_promoted_pays_nothing(world: World, microdollars: int) -> None:
    account = world.accounts.create(microdollars)
    status, answer = world.ask(bearer(world, account, botId="reviewer"))
    assert (status, json.loads(answer)["object"]) == (200, "chat.completion")
    (row,) = usage_of(world.accounts, account)
    assert (row.basis, row.cost) == ("free", 0)
    assert row.absorbed > 0
    assert world.accounts.balance(account) == microdollars


def test_others_need_a_balance(world: World) -> None:
    account = world.accounts.create(0)
    assert world.ask(bearer(world, account, botId="other"))[0] == 402
    assert world.ask(bearer(world, account, tokenSource="cloud"))[0] == 402  # over
    assert world.ask(bearer(world, account, botId="reviewer"), model="sim/echo")[0] == 402


def test_what_the_organization_restricts_still_applies(world: World) -> None:
    account = world.accounts.create(0)
    organization = world.organization(account)
    headers = {**bearer(world, account, botId="reviewer"), "x-tollway-organizationid": organization}
    assert world.ask(headers)[0] == 200  # on an organization without credits

    async def restrict(store: SqlAdmin, _: Database) -> None:
        change = OrganizationChange("enterprise", settings={"model_allow_list": ("other/*",)})
        assert not isinstance(await change_organization(store, second, change, datetime.now(UTC)), Problem)

    second = world.organization(account)
    world.accounts.run(restrict)
    refused = {**headers, "x-tollway-organizationid": second}
    status, body = world.ask(refused)
    assert (status, json.loads(body)["error"]) == (404, "Model not allowed for your team.")
