"""Kilo's published client at this gateway, both ways: as its own gateway, and as a provider of OpenRouter's kind."""

import json
from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import jwt
import pytest
from sqlalchemy import select

from clients.conftest import DEAR_USD, JWT_SECRET, NOTE
from clients.kilo import Kilo, Told
from flow.accounts import Account, Accounts
from flow.conversation import ask, chat
from flow.programs import Gateway
from flow.usage_rows import usage_of
from tollway.clock import utc_now
from tollway.money import round_usd
from tollway.storage.sql.admin.store import SqlAdmin
from tollway.storage.sql.database import Database
from tollway.storage.sql.tables import users

NewKilo = Callable[[dict[str, str]], Kilo]


@pytest.fixture
def new_kilo(kilo: Path, room: Path, tmp_path: Path) -> NewKilo:
    return lambda settings: Kilo(kilo, tmp_path, room, settings)


def as_own_gateway(gateway: Gateway, credential: str) -> dict[str, str]:
    return {"KILO_API_URL": gateway.url, "KILO_API_KEY": credential}


def as_provider(gateway: Gateway, account: Account) -> dict[str, str]:
    provider = {
        "npm": "@openrouter/ai-sdk-provider",
        "name": "Tollway",
        "options": {"baseURL": f"{gateway.url}/api/gateway", "apiKey": account.key},
        "models": {"sim/clerk": {"name": "Clerk", "tool_call": True}},
    }
    return {"KILO_CONFIG_CONTENT": json.dumps({"provider": {"tollway": provider}})}


def token_of(accounts: Accounts, account: Account) -> str:
    """As the system that knows the users signs it."""

    async def work(_: SqlAdmin, database: Database) -> str | None:
        query = select(users.c.pepper).where(users.c.id == account.user_id)
        return await database.read(lambda connection: connection.execute(query).scalar_one())

    now = utc_now()
    claims = {
        "kiloUserId": account.user_id,
        "apiTokenPepper": accounts.run(work),
        "version": 3,
        "iat": now,
        "exp": now + timedelta(hours=1),
    }
    return jwt.encode(claims, JWT_SECRET, algorithm="HS256")


def check_tool_use(told: Told, accounts: Accounts, account: Account) -> None:
    """It read the note, told us, and shows what was charged. Beside it a title may be asked for, whose cost it does not
    show."""
    assert told.tools == [("read", "completed")]
    assert NOTE in told.text
    charged = [row.cost for row in usage_of(accounts, account)]
    shown = Counter(round_usd(cost) for cost in told.costs_usd)
    assert shown.total() == 2
    assert shown <= Counter(charged)
    assert len(charged) <= 3
    assert min(charged) > 0
    assert accounts.balance(account) == 10_000_000 - sum(charged)


def test_a_key_lists_models_and_uses_a_tool(
    gateway: Gateway, accounts: Accounts, account: Account, new_kilo: NewKilo
) -> None:
    client = new_kilo(as_own_gateway(gateway, account.key))
    served = {f"kilo/{id_}" for id_ in ("sim/story", "sim/clerk", "sim/dear", "plain/story")}
    listed = client.models("kilo")
    assert served <= set(listed)
    assert len(listed) < 20, "it discarded our list and shows its own"
    check_tool_use(client.run("kilo/sim/clerk", "Read the note."), accounts, account)


def test_a_token_streams_and_what_was_charged_is_shown(
    gateway: Gateway, accounts: Accounts, account: Account, new_kilo: NewKilo
) -> None:
    told = new_kilo(as_own_gateway(gateway, token_of(accounts, account))).run("kilo/sim/dear", "Tell me a story.")
    assert told.text.strip() == ask(gateway, account, chat("sim/story", stream=True)).text.strip()
    assert told.costs_usd == [Decimal(DEAR_USD)]
    assert round_usd(Decimal(DEAR_USD)) in [row.cost for row in usage_of(accounts, account)]


def test_as_a_provider_it_uses_a_tool(
    gateway: Gateway, accounts: Accounts, account: Account, new_kilo: NewKilo
) -> None:
    client = new_kilo(as_provider(gateway, account))
    assert client.models("tollway") == ["tollway/sim/clerk"]
    check_tool_use(client.run("tollway/sim/clerk", "Read the note."), accounts, account)
