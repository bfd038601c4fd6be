"""Idempotency-Key: the same key never starts a second charge (guarantees M10)."""

from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from pathlib import Path
from time import monotonic
from typing import Any

import pytest

from flow.accounts import Account, Accounts
from flow.conversation import chat
from flow.programs import Gateway, Sim, settings_for
from flow.raw import CHAT, PATIENCE_S, Raw, Response, ask, request
from flow.usage_rows import attempts_at, usage_of
from tollway.admin.credits import NewCredit, Owner, add_credit
from tollway.clock import utc_now
from tollway.storage.sql.admin.store import SqlAdmin
from tollway.storage.sql.database import Database

_numbers = count(1)


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory, sim: Sim) -> Iterator[Gateway]:
    """Two workers, so that a key is known beyond the one that saw it first."""
    folder: Path = tmp_path_factory.mktemp("keyed")
    program = Gateway(folder, settings_for(folder, sim.url, top="workers = 2"))
    yield program
    assert program.stop() == 0


@pytest.fixture(scope="module")
def accounts(gateway: Gateway) -> Accounts:
    return Accounts(gateway.config)


@pytest.fixture
def key() -> str:
    return f"order {next(_numbers)} of 2026: #?&"


def keyed(account: Account, key: str | bytes, body: Mapping[str, object] | None = None, path: bytes = CHAT) -> bytes:
    text = key if isinstance(key, str) else key.decode("latin-1")
    headers = {**account.headers, "Idempotency-Key": text}
    return request(body or chat("sim/story", True), path, headers)


def send(gateway: Gateway, account: Account, key: str, **changes: Any) -> Response:
    return ask(gateway, keyed(account, key, **changes))


def is_taken_by(answer: Response, request_id: str) -> bool:
    said = f"This Idempotency-Key was used by request {request_id}."
    return answer.status == 409 and answer.code == "conflict" and answer.json["error"]["message"] == said


@pytest.mark.parametrize("body", [chat("sim/story", True), chat("plain/story")], ids=["stream", "whole"])
def test_the_second_is_refused_and_names_the_first(
    gateway: Gateway, accounts: Accounts, account: Account, sim: Sim, key: str, body: Mapping[str, object]
) -> None:
    first = send(gateway, account, key, body=body)
    assert first.status == 200
    for again in (body, chat("sim/echo"), body, body):
        second = send(gateway, account, key, body=again)
        assert is_taken_by(second, first.headers["x-request-id"])
        assert attempts_at(sim, second.headers["x-request-id"]) == []
    (row,) = usage_of(accounts, account)
    assert row.id == first.headers["x-request-id"]
    assert len(attempts_at(sim, row.id)) == 1
    assert accounts.balance(account) == 10_000_000 - row.cost


def test_the_first_may_still_be_running(gateway: Gateway, account: Account, key: str) -> None:
    with Raw(gateway) as running:
        running.send(keyed(account, key, chat("sim/story", True, {"chunks": 200, "delay_ms": 5})))
        head = running.read_until(b"data: ")
        second = send(gateway, account, key)
        assert is_taken_by(second, head.partition(b"x-request-id: ")[2][:32].decode())
        running.read_until(b"data: [DONE]")


def test_of_fifty_at_once_exactly_one_is_served(
    gateway: Gateway, accounts: Accounts, account: Account, sim: Sim, key: str
) -> None:
    body = chat("sim/story", sim={"first_delay_ms": 300})
    with ThreadPoolExecutor(50) as threads:
        answers = list(threads.map(lambda _: send(gateway, account, key, body=body), range(50)))
    served = [answer for answer in answers if answer.status == 200]
    assert len(served) == 1
    first = served[0].headers["x-request-id"]
    assert sum(is_taken_by(answer, first) for answer in answers) == 49
    assert [row.id for row in usage_of(accounts, account)] == [first]
    ids = {answer.headers["x-request-id"] for answer in answers}
    seen = [line for line in sim.records() if (line.get("x_request_id") or "").partition("-")[0] in ids]
    assert [line["kind"] for line in seen] == ["request", "answer"]


def test_without_money_the_key_stays_free(gateway: Gateway, accounts: Accounts, key: str) -> None:
    poor = accounts.create(microdollars=0)
    for _ in range(2):
        assert send(gateway, poor, key).status == 402

    async def pay(store: SqlAdmin, _: Database) -> None:
        await add_credit(store, NewCredit(Owner(user=poor.user_id), 1_000_000, is_free=True), utc_now())

    accounts.run(pay)
    ends_at = monotonic() + PATIENCE_S  # a worker remembers for a moment that there is no money
    while (first := send(gateway, poor, key)).status == 402:
        assert monotonic() < ends_at
    assert first.status == 200
    assert is_taken_by(send(gateway, poor, key), first.headers["x-request-id"])


def test_what_was_never_sent_leaves_the_key_free(
    gateway: Gateway, accounts: Accounts, account: Account, key: str
) -> None:
    for _ in range(2):
        assert send(gateway, account, key, body=chat("dead/model")).status == 502
    first = send(gateway, account, key)
    assert first.status == 200
    assert is_taken_by(send(gateway, account, key), first.headers["x-request-id"])
    assert len(usage_of(accounts, account)) == 1


def test_what_failed_at_the_upstream_keeps_the_key(
    gateway: Gateway, accounts: Accounts, account: Account, key: str
) -> None:
    """It may have been billed: a second try is a second charge, for the caller or for the operator."""
    first = send(gateway, account, key, body=chat("sim/story", sim={"fault": "cut", "at": 3}))
    assert first.status == 502
    assert is_taken_by(send(gateway, account, key), first.headers["x-request-id"])
    assert accounts.balance(account) == 10_000_000


def test_keys_of_others_are_other_keys(gateway: Gateway, accounts: Accounts, account: Account, key: str) -> None:
    other = accounts.create()
    assert [send(gateway, one, key).status for one in (account, other, account, other)] == [200, 200, 409, 409]


@pytest.mark.parametrize("bad", [b"k" * 256, b"a\tb", b"a\x01b", b"a\x7fb", b"\xc3\xa9", b""], ids=repr)
def test_what_is_no_key_is_refused(gateway: Gateway, accounts: Accounts, account: Account, bad: bytes) -> None:
    raw = keyed(account, "?").replace(b"Idempotency-Key: ?", b"Idempotency-Key: " + bad)
    assert ask(gateway, raw).status == 400
    assert usage_of(accounts, account) == []


def test_the_longest_key(gateway: Gateway, account: Account) -> None:
    longest = "~ " * 127 + "~"
    assert [send(gateway, account, longest).status for _ in range(2)] == [200, 409]


def test_on_the_drop_in_prefixes_too(gateway: Gateway, account: Account, key: str) -> None:
    path = b"/api/gateway/chat/completions"
    first = send(gateway, account, key, path=path)
    assert first.status == 200
    second = send(gateway, account, key, path=path)
    assert second.status == 409
    assert first.headers["x-request-id"] in second.body.decode()


def test_a_restart_forgets_no_key(tmp_path: Path, sim: Sim, key: str) -> None:
    settings = settings_for(tmp_path, sim.url)
    program = Gateway(tmp_path, settings)
    try:
        accounts = Accounts(program.config)
        account = accounts.create()
        first = send(program, account, key)
        assert first.status == 200
        assert program.stop() == 0
        program = Gateway(tmp_path, settings)
        assert is_taken_by(send(program, account, key), first.headers["x-request-id"])
        assert len(usage_of(accounts, account)) == 1
    finally:
        program.end()
