"""Vectors V208 to V212 of response-path §16.12: callers without an account, and what is left of them."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pytest
from sqlalchemy import Connection, func, select

from flow.accounts import Accounts
from flow.programs import Gateway
from flow.raw import ask, request
from servers.abuse import AbuseService
from tollway.admin.records import User
from tollway.identity.anonymous import anonymous_caller
from tollway.storage.sql.admin.store import SqlAdmin
from tollway.storage.sql.database import Database
from tollway.storage.sql.tables import metadata
from tollway.wire.address import canonical_address
from vectors.conftest import settings_for_vectors
from vectors.oversight import judged, logged
from vectors.upstream import Upstream

ADDRESS = "203.0.113.7"
MODEL = "corethink:free"


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        pytest.param(ADDRESS, "anon:c2b49e04060994f1e61a2a4e4b617b4a", id="response:V208"),
        pytest.param(f"::ffff:{ADDRESS}", "anon:c2b49e04060994f1e61a2a4e4b617b4a", id="response:V208-mapped"),
        pytest.param("2001:DB8:0:0:0:0:0:1", "anon:375f1b771764be1d79d3b4ed3f1f10e3", id="response:V209"),
        pytest.param("2001:db8::1", "anon:375f1b771764be1d79d3b4ed3f1f10e3", id="response:V209-compressed"),
    ],
)
def test_ids(address: str, expected: str) -> None:
    canonical = canonical_address(address)
    assert canonical is not None
    assert anonymous_caller(b"test-anon-key", canonical).user_id == expected


@pytest.fixture(scope="module")
def service() -> Iterator[AbuseService]:
    server = AbuseService()
    yield server
    server.close()


@dataclass(frozen=True)
class Left:
    """What one request leaves behind: rows more than before, and all texts by where they are."""

    rows: dict[str, int]
    texts: dict[str, bytes]
    asked: Any
    lines: list[dict[str, Any]]


@pytest.fixture(scope="module")
def left(tmp_path_factory: pytest.TempPathFactory, upstream: Upstream, service: AbuseService) -> Left:
    """Of a stranger behind a proxy, with everything switched on that could keep something."""
    folder: Path = tmp_path_factory.mktemp("stranger")
    top = judged(service, 'preset = "kilo"', 'trusted_proxies = ["127.0.0.0/8"]', 'log_level = "debug"')
    gateway = Gateway(folder, settings_for_vectors(folder, upstream, models=("a/b", MODEL), top=top))
    try:
        accounts = Accounts(gateway.config)
        before = _rows(accounts)
        service.say(_verdict_that_knows_the_address())
        body = {"model": MODEL, "messages": [{"role": "user", "content": "hi"}]}
        answer = ask(gateway, request(body, b"/api/gateway/chat/completions", {"x-forwarded-for": ADDRESS}))
        assert answer.status == 200
        sent, asked = upstream.next(), service.asked()
        lines = logged(gateway, "abuse_verdict", 1)
        with urlopen(f"{gateway.url}/metrics", timeout=10) as said:
            metrics = said.read()
        assert gateway.stop() == 0  # whatever waited is written, whatever was to be told is told
        after = _rows(accounts)
    finally:
        gateway.end()
    texts = {
        "log": "\n".join(gateway.lines).encode(),
        "metrics": metrics,
        "upstream": sent.text + json.dumps(sent.headers).encode(),
        **{path.name: path.read_bytes() for path in folder.rglob("*") if path.is_file()},
    }
    return Left({name: after[name] - count for name, count in before.items()}, texts, asked, lines)


def _rows(accounts: Accounts) -> dict[str, int]:
    """How many each table has."""

    def read(connection: Connection) -> dict[str, int]:
        names = set(metadata.tables) - {"deployment"}
        return {
            name: connection.execute(select(func.count()).select_from(metadata.tables[name])).scalar_one()
            for name in names
        }

    async def work(_: SqlAdmin, database: Database) -> dict[str, int]:
        return await database.read(read)

    return accounts.run(work)


@pytest.mark.parametrize("table", [pytest.param("free_model_usage", id="response:V210")])
def test_a_stranger_is_in_no_book(left: Left, service: AbuseService, table: str) -> None:
    """And nobody is told what the answer was worth."""
    assert {name: count for name, count in left.rows.items() if count} == {table: 1}
    assert service.reported.empty()
    assert b'tollway_requests_total{status="200"} 1.0' in left.texts["metrics"]


@pytest.mark.parametrize("address", [pytest.param(ADDRESS, id="response:V211")])
def test_the_address_is_nowhere(left: Left, address: str) -> None:
    """But with the abuse service, and only where an operator wants one."""
    assert {"log", "metrics", "upstream", "tollway.db"} <= set(left.texts)
    assert [name for name, text in left.texts.items() if address.encode() in text] == []
    assert left.asked["ip_address"] == address
    (line,) = left.lines
    assert line["user"] == left.asked["kilo_user_id"]
    assert line["user"].startswith("anon:")
    assert (line["identity_key"], line["signals"]) == ("***", ["other"])


def _verdict_that_knows_the_address() -> bytes:
    context: dict[str, Any] = {"identity_key": f"ip:{ADDRESS}", "requests_per_second": 1}
    said = {"verdict": "ALLOW", "risk_score": 0, "signals": [ADDRESS], "context": context, "request_id": 77}
    return json.dumps(said).encode()


@pytest.mark.parametrize("user_id", [pytest.param("anon:x", id="response:V212")])
def test_no_account_has_such_an_id(kilo_accounts: Accounts, user_id: str) -> None:
    async def work(store: SqlAdmin, _: Database) -> bool:
        return await store.add_user(User(user_id, "x@example.com", "x", None, datetime.now(UTC)), "pepper")

    with pytest.raises(ValueError, match="no account"):
        kilo_accounts.run(work)
