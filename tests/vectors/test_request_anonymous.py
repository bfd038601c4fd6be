"""Vectors AN2, AN4 and AN5 of request-path, and that no book knows anonymous callers.

AN1 and AN3 are with the tokens, in test_request_authentication.py.
"""

from urllib.request import urlopen

import pytest
from sqlalchemy import Connection, func, select

from flow.accounts import Accounts
from flow.programs import Gateway
from flow.raw import ask, request
from tollway.identity.anonymous import anonymous_id
from tollway.storage.sql.admin.store import SqlAdmin
from tollway.storage.sql.database import Database
from tollway.storage.sql.tables import ledger_entries, usage
from vectors.upstream import Upstream

PATH = b"/api/openrouter/chat/completions"
KEY = b"tollway-anon-test-key"


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        pytest.param("203.0.113.9", "anon:77d21cf20b6fee86fb6414de2a920adf", id="request:AN4"),
        pytest.param("1.2.3.4", "anon:20b66331f79a65f9db560fbd6468b8b6", id="request:AN5-v4"),
        pytest.param("2001:db8::1", "anon:a3a8f5389ebc6d98222ab2fd05a98a71", id="request:AN5-v6"),
    ],
)
def test_ids(address: str, expected: str) -> None:
    assert anonymous_id(KEY, address) == expected


@pytest.mark.parametrize(
    ("model", "sent"),
    [
        pytest.param("corethink:free", "corethink", id="request:AN2"),
        pytest.param("meta-llama/llama-4-scout:free", "meta-llama/llama-4-scout:free", id="request:AN2-not-hosted"),
    ],
)
def test_a_stranger_gets_free_models(
    kilo: Gateway, upstream: Upstream, kilo_accounts: Accounts, model: str, sent: str
) -> None:
    """Whatever organization is named, and nothing of it is in the books."""
    before = _rows(kilo_accounts), _given_away(kilo)
    body = {"model": model, "messages": [{"role": "user", "content": "hi"}]}
    for organization in ("6f1d9a52-8a0e-4f0c-9a1e-2b3c4d5e6f70", "nonsense"):
        answer = ask(kilo, request(body, PATH, {"x-kilocode-organizationid": organization}))
        assert answer.status == 200
        assert upstream.next().body["model"] == sent
    assert _rows(kilo_accounts) == before[0]
    assert kilo_accounts.differences() == ()
    assert _given_away(kilo) == before[1] + 2  # a micro-dollar each, says the upstream


def _rows(accounts: Accounts) -> list[int]:
    async def work(_: SqlAdmin, database: Database) -> list[int]:
        def read(connection: Connection) -> list[int]:
            tables = (usage, ledger_entries)
            return [connection.execute(select(func.count()).select_from(one)).scalar_one() for one in tables]

        return await database.read(read)

    return accounts.run(work)


def _given_away(gateway: Gateway) -> float:
    with urlopen(f"{gateway.url}/metrics", timeout=10) as answer:
        lines = answer.read().decode().splitlines()
    (line,) = (one for one in lines if one.startswith("tollway_given_away_microdollars_total "))
    return float(line.split()[1])
