"""`tollway reconcile`: estimates, dead workers, lost and damaged journals, books that do not balance (M4, M5, M8)."""

import re
import shutil
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from time import monotonic

import pytest
from sqlalchemy import text

from flow.accounts import Account, Accounts
from flow.commands import tollway
from flow.conversation import Conversation, chat, wait_for_end
from flow.journals import entries
from flow.programs import Gateway, Sim, settings_for
from flow.raw import ask as ask_raw
from flow.raw import get
from flow.usage_rows import attempts_at, usage_of
from flow.workers import kill_everything
from tollway.money import format_usd, round_usd
from tollway.storage.sql.admin.store import SqlAdmin
from tollway.storage.sql.database import Database

CREDIT = 10_000_000
PATIENCE_S = 60  # the books are read seldomer the longer that takes
LONG = chat("sim/story", True, {"chunks": 2_000, "delay_ms": 5})
TOLD = "generation_lookup = true\nstops_billing_on_abort = true"


@pytest.fixture
def begin(tmp_path: Path, sim: Sim) -> Iterator[Callable[..., Gateway]]:
    """Starts a gateway on the same folder, as often as asked."""
    begun: list[Gateway] = []

    def start(more: str = "") -> Gateway:
        by_itself = "\n[timeouts]\nlookup_s = 0\n"  # nobody asks right after the end
        begun.append(Gateway(tmp_path, settings_for(tmp_path, sim.url, more_sim=TOLD) + by_itself + more))
        return begun[-1]

    yield start
    for gateway in begun:
        gateway.end()


def test_an_estimate_becomes_what_the_upstream_generated(begin: Callable[..., Gateway], sim: Sim) -> None:
    gateway = begin()
    accounts = Accounts(gateway.config)
    account = accounts.create(CREDIT)
    id_ = leave(gateway, account, after=20)
    wait_until(lambda: bool(attempts_at(sim, id_)))
    estimate = CREDIT - accounts.balance(account)
    worth = round_usd(Decimal(attempts_at(sim, id_)[0]["cost"]))
    assert [row.basis for row in usage_of(accounts, account)] == ["interrupted"]
    assert estimate != worth > 0
    execute(accounts, "UPDATE usage SET created_at = created_at - 60000000")  # what is younger is not asked about
    offline = tollway(gateway.config, "reconcile", "--offline")
    assert (offline.code, accounts.balance(account)) == (0, CREDIT - estimate)
    first = tollway(gateway.config, "reconcile")
    moved = worth - estimate
    sign = "-" if moved < 0 else "+"
    assert (first.code, first.err) == (0, "")
    assert f"Estimates: 1 corrected ({sign}{format_usd(abs(moved))}), 0 not known yet, 0 not asked.\n" in first.out
    assert first.out.endswith("All is well.\n")
    assert accounts.balance(account) == CREDIT - worth
    second = tollway(gateway.config, "reconcile", "--json")
    assert (second.code, second.json["looked_up"]["corrected"], second.json["clean"]) == (0, 0, True)
    assert accounts.balance(account) == CREDIT - worth
    assert accounts.differences() == ()
    told = tollway(gateway.config, "explain", id_).told
    assert told["Charge"][0].startswith(f"{format_usd(estimate)} (interrupted: ")
    assert f"the upstream's own record: {format_usd(worth)}, the operator bears $0.000000" in told["Charge"][-1]
    assert [line.partition(":")[0] for line in told["Entries"]] == ["charge", "correction"]

    books_that_do_not_balance_are_told(gateway, accounts, account)
    assert gateway.stop() == 0


def books_that_do_not_balance_are_told(gateway: Gateway, accounts: Accounts, account: Account) -> None:
    """In the real program, beside a serving gateway; every kind of damage has its unit test."""
    execute(accounts, "UPDATE budgets SET spent_microdollars = spent_microdollars + 1 WHERE kind = 'user'")
    ended = tollway(gateway.config, "reconcile")
    assert ended.code == 1
    assert f"charged: user:{account.user_id}: expected " in ended.out
    assert ended.out.endswith("Something remains.\n")


def test_a_serving_gateway_does_the_same_by_itself(begin: Callable[..., Gateway], sim: Sim) -> None:
    gateway = begin("estimates_poll_s = 0.2\nbooks_poll_s = 0.2\n")
    accounts = Accounts(gateway.config)
    account = accounts.create(CREDIT)
    id_ = leave(gateway, account, after=20)
    wait_until(lambda: bool(attempts_at(sim, id_)))
    worth = round_usd(Decimal(attempts_at(sim, id_)[0]["cost"]))
    (row,) = usage_of(accounts, account)
    assert row.cost != worth
    execute(accounts, "UPDATE usage SET created_at = created_at - 60000000")
    wait_until(lambda: accounts.balance(account) == CREDIT - worth)
    assert accounts.differences() == ()

    damaged = "UPDATE budgets SET spent_microdollars = spent_microdollars {} 1 WHERE kind = 'user'"
    for change, balances in (("+", False), ("-", True)):
        execute(accounts, damaged.format(change))
        wait_until(lambda wanted=balances: ("tollway_books_differences 0.0\n" in metrics_of(gateway)) is wanted)
    assert gateway.stop() == 0


def metrics_of(gateway: Gateway) -> str:
    return ask_raw(gateway, get("/metrics")).body.decode()


def test_a_killed_gateway_is_settled_while_nothing_serves(begin: Callable[..., Gateway], sim: Sim) -> None:
    gateway = begin()
    accounts = Accounts(gateway.config)
    account = accounts.create(CREDIT)
    with Conversation(gateway) as conversation:
        conversation.ask(account, LONG)
        id_ = request_id(conversation.read_until(b"data: ", 200))  # for longer than until the journal notes progress
        assert tollway(gateway.config, "reconcile").code == 0  # one that lives is left alone
        assert accounts.balance(account) == CREDIT
        kill_everything(gateway)
    wait_until(lambda: bool(attempts_at(sim, id_)))
    execute(accounts, "UPDATE workers SET seen_at = seen_at - 60000000")
    first = tollway(gateway.config, "reconcile", "--offline")
    assert (first.code, first.err) == (0, "")
    assert "Journals:  1 of dead workers; 0 requests settled, 1 cut short.\n" in first.out
    (row,) = usage_of(accounts, account)
    generated = round_usd(Decimal(attempts_at(sim, id_)[0]["cost"]))
    assert (row.id, row.basis, accounts.balance(account)) == (id_, "interrupted", CREDIT - row.cost)
    assert 0 < row.cost <= generated
    assert entries(accounts.state_dir) == []
    execute(accounts, "UPDATE usage SET created_at = created_at - 60000000")
    assert "Estimates: 1 corrected" in tollway(gateway.config, "reconcile").out
    assert accounts.balance(account) == CREDIT - generated
    assert accounts.differences() == ()


def test_a_journal_that_is_lost_locks_up_money_until_its_worker_is_abandoned(
    begin: Callable[..., Gateway], tmp_path: Path
) -> None:
    gateway = begin()
    accounts = Accounts(gateway.config)
    account = accounts.create(CREDIT)
    (worker,) = (path.name for path in (tmp_path / "journal").iterdir())
    with Conversation(gateway) as conversation:
        conversation.ask(account, LONG)
        conversation.read_until(b"data: ")
        execute(accounts, "UPDATE workers SET seen_at = seen_at - 60000000")
        refused = tollway(gateway.config, "reconcile", "--abandon", worker)
        assert (refused.code, refused.out) == (1, "")
        assert refused.err == f"tollway: {worker} is not a silent worker without a journal; see `tollway reconcile`\n"
        kill_everything(gateway)
    shutil.rmtree(tmp_path / "journal" / worker)
    execute(accounts, "UPDATE workers SET seen_at = seen_at - 60000000")
    ended = tollway(gateway.config, "reconcile")
    assert ended.code == 1
    named = re.search(rf"Worker {worker} on \S+ was last seen .* and leases \$([\d.]+)\.", ended.out)
    assert named
    assert Decimal(named[1]) > 0
    assert f"tollway reconcile --abandon {worker}" in ended.out
    done = tollway(gateway.config, "reconcile", "--abandon", worker)
    assert (done.code, done.out.endswith("All is well.\n")) == (0, True)
    assert accounts.differences() == ()
    assert leased(accounts) == 0


def test_a_damaged_journal_is_set_aside_and_named_until_it_was_looked_at(
    begin: Callable[..., Gateway], tmp_path: Path
) -> None:
    gateway = begin()
    accounts = Accounts(gateway.config)
    account = accounts.create(CREDIT)
    with Conversation(gateway) as first, Conversation(gateway) as second, Conversation(gateway) as third:
        ids = []
        for conversation in (first, second, third):
            conversation.ask(account, LONG)
            ids.append(request_id(conversation.read_until(b"data: ")))
        kill_everything(gateway)
    damage(tmp_path / "journal", ids[1])
    again = begin()
    ready = ask_raw(again, get("/readyz"))
    assert (ready.status, ready.json) == (503, {"status": "failing", "failing": ["journal"]})
    assert {row.id for row in usage_of(accounts, account)} >= {ids[0], ids[2]}  # the others are none the worse
    (aside,) = (tmp_path / "journal-set-aside").iterdir()
    ended = tollway(again.config, "reconcile")
    assert ended.code == 1
    assert f"Set aside from a journal: {aside}. Delete it when it was looked at.\n" in ended.out
    assert bytes.fromhex(ids[1]) in aside.read_bytes()
    aside.unlink()
    assert tollway(again.config, "reconcile").code == 0
    assert ask_raw(again, get("/readyz")).status == 200
    assert accounts.differences() == ()
    assert again.stop() == 0


def leave(gateway: Gateway, account: Account, after: int) -> str:
    """Begin a stream and go away after so many of its events; the request's id, once that was noticed."""
    with Conversation(gateway) as conversation:
        conversation.ask(account, LONG)
        id_ = request_id(conversation.read_until(b"data: ", after))
    assert wait_for_end(gateway, account)["request_id"] == id_
    return id_


def request_id(head: bytes) -> str:
    return head.partition(b"x-request-id: ")[2][:32].decode()


def damage(journals: Path, request_id: str) -> None:
    """One bit of the record that opened this request."""
    (path,) = journals.glob("*/*.journal")
    data = bytearray(path.read_bytes())
    place = data.index(bytes.fromhex(request_id)) + 20
    data[place] ^= 1
    path.write_bytes(data)


def execute(accounts: Accounts, statement: str) -> None:
    """Change the database behind everybody's back."""

    async def work(_: SqlAdmin, database: Database) -> None:
        await database.write(lambda connection: connection.execute(text(statement)))

    accounts.run(work)


def leased(accounts: Accounts) -> int:
    async def work(_: SqlAdmin, database: Database) -> int:
        statement = text("SELECT coalesce(sum(amount_microdollars), 0) FROM leases")
        return await database.read(lambda connection: int(connection.execute(statement).scalar_one()))

    return accounts.run(work)


def wait_until(holds: Callable[[], bool]) -> None:
    """Ask a program again and again."""
    give_up_at = monotonic() + PATIENCE_S
    while not holds():
        assert monotonic() < give_up_at
