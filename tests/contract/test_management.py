"""Tables of the management API on both databases: sums of usage, answers given once more, logins of devices."""

import asyncio
from collections.abc import Iterator
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import Connection, delete, insert, select, update

from contract.commit_fault import CommitFault
from contract.scenario import START
from contract.test_owned import ACME_ID, add, add_owners
from tollway.admin.answers import Answer, Answers, Asked, asked
from tollway.admin.device_logins import GONE, LIFE, PENDING_MAX, DeviceLogins, HandedOut, LoginState, WaitingLogin
from tollway.admin.device_requesters import Requester, requester_of
from tollway.admin.records import AuditEntry, AuditFilter, CreditTransaction, Page
from tollway.admin.usage import Grouping, UsageFilter, first_id
from tollway.billing.ledger import BudgetKind, BudgetRef
from tollway.errors import Code, Problem
from tollway.identity.sealing import SealingKeys
from tollway.ids import random_bytes
from tollway.storage.sql.admin.store import SqlAdmin
from tollway.storage.sql.admin.usage import SqlUsageListing
from tollway.storage.sql.answers import SqlAnswers
from tollway.storage.sql.audit_tables import audit_log
from tollway.storage.sql.database import Database
from tollway.storage.sql.device_logins import SqlDeviceLogins
from tollway.storage.sql.management_tables import device_logins, stored_answers
from tollway.storage.sql.tables import usage

DAY = timedelta(days=1)
ENTRY = ("id", "organization_id", "actor", "action", "message", "created_at")


def _used(number: int, **what: Any) -> dict[str, Any]:
    at = START + DAY * (number % 2)
    names = dict.fromkeys(("provider_id", "requested_model", "upstream_model", "price_version"), "x")
    counts = dict.fromkeys(
        ("completion_tokens", "cached_tokens", "cache_write_tokens", "reasoning_tokens", "absorbed_microdollars"), 0
    )
    money = dict.fromkeys(("market_cost_microdollars", "list_cost_microdollars", "worst_case_microdollars"), 0)
    row = {"id": first_id(at)[:12] + f"{number:020x}", "user_id": "ann", "organization_id": None, "model": "a/b"}
    rest = {
        "basis": "reported",
        "cost_microdollars": 10,
        "hold_microdollars": 0,
        "prompt_tokens": 1,
        "has_error": False,
    }
    prices = {"prompt_usd": Decimal(0), "completion_usd": Decimal(0), "usage_day": at.date(), "budgets": ()}
    return {**names, **counts, **money, **row, **rest, **prices, "created_at": at, **what}


@pytest.fixture
def listing(database: Database) -> Iterator[SqlUsageListing]:
    """Rows that no entries of the ledger stand behind, so they go again before the books are checked."""
    rows = [
        _used(0),
        _used(1, corrected_microdollars=5),
        _used(2, model="c/d", has_error=True),
        _used(3, user_id="bob", organization_id="acme", key_id="k"),
        _used(4, user_id="bob"),
    ]

    def work(connection: Connection) -> None:
        for row in rows:
            connection.execute(insert(usage).values(**row))

    asyncio.run(database.write(work))
    yield SqlUsageListing(database)
    asyncio.run(database.write(lambda connection: connection.execute(delete(usage))))


def test_usage_is_listed_and_summed(listing: SqlUsageListing) -> None:
    async def scenario() -> None:
        anns = UsageFilter(START - DAY, START + 9 * DAY, "ann", is_personal=True)
        listed = await listing.list_usage(anns, 2, None)
        assert [one.cost_microdollars for one in listed] == [15, 10]
        assert len(await listing.list_usage(anns, 9, listed[-1].id)) == 1
        (whole,) = await listing.sum_usage(anns, (), 9, 0)
        assert (whole.requests, whole.errors, whole.cost_microdollars, whole.prompt_tokens) == (3, 1, 35, 3)
        sums = await listing.sum_usage(anns, (Grouping.DAY, Grouping.MODEL), 9, 0)
        days = [(START + DAY).date().isoformat(), START.date().isoformat(), START.date().isoformat()]
        assert [(one.day, one.model) for one in sums] == list(zip(days, ["a/b", "a/b", "c/d"], strict=True))
        assert await listing.sum_usage(anns, (Grouping.DAY, Grouping.MODEL), 1, 2) == sums[2:]
        acmes = UsageFilter(START - DAY, START + 9 * DAY, organization_id="acme")
        (of_key,) = await listing.sum_usage(acmes, (Grouping.KEY, Grouping.MEMBER), 9, 0)
        assert (of_key.key_id, of_key.user_id, of_key.day, of_key.requests) == ("k", "bob", None, 1)
        assert await listing.list_usage(UsageFilter(START + 2 * DAY, START + 3 * DAY), 9, None) == ()

    asyncio.run(scenario())


def _ask(body: bytes = b"{}", now: datetime = START) -> Asked:
    made = asked("ann", "POST /keys", "k", body, now)
    assert isinstance(made, Asked)
    return made


async def test_of_many_repeats_one_is_done(database: Database) -> None:
    await add_owners(database)
    answers = Answers(SqlAnswers(database), SealingKeys({"one": bytes(32)}, "one", None), random_bytes)
    tries = [_ask() for _ in range(20)]
    firsts = await asyncio.gather(*(answers.begin(one) for one in tries))
    (ours,) = [one for one, first in zip(tries, firsts, strict=True) if first is None]
    assert {first.code for first in firsts if isinstance(first, Problem)} == {Code.CONFLICT}
    await answers.end(ours, Answer(201, '{"key":"tw_live_secret"}'))
    assert await answers.begin(_ask()) == Answer(201, '{"key":"tw_live_secret"}')
    other = await answers.begin(_ask(b"[]"))
    assert isinstance(other, Problem)
    assert other.code is Code.IDEMPOTENCY_KEY_REUSED
    stored = await database.read(lambda connection: connection.execute(select(stored_answers.c.answer)).scalar())
    assert "secret" not in str(stored)
    assert await answers.begin(_ask(now=START + 2 * DAY)) is None  # a day later nobody remembers


async def test_what_was_refused_may_be_tried_again(database: Database) -> None:
    await add_owners(database)
    answers = Answers(SqlAnswers(database), SealingKeys({"one": bytes(32)}, "one", None), random_bytes)
    first = _ask()
    assert await answers.begin(first) is None
    await answers.end(first, Answer(400, ""))
    assert await answers.begin(_ask()) is None


async def test_a_device_gets_its_key_once(database: Database) -> None:
    await add_owners(database)
    logins = _logins(database)
    code = await logins.begin(Requester("192.0.2.1"), START)
    assert isinstance(code, str)
    assert await logins.poll(code, START) is LoginState.PENDING
    assert await logins.decide(code, "ann", START, approved=True) is None
    again = await logins.decide(code, "ann", START, approved=False)
    assert isinstance(again, Problem)
    polls = await asyncio.gather(*(logins.poll(code, START) for _ in range(10)))
    (given,) = [one for one in polls if isinstance(one, HandedOut)]
    assert given.user_id == "ann"
    assert [one for one in polls if one is not given] == [None] * 9
    assert given.key not in repr(given)


async def test_of_one_address_few_wait_and_the_expired_do_not_count(database: Database) -> None:
    logins, here = _logins(database), Requester("192.0.2.1")
    codes = [await logins.begin(here, START) for _ in range(PENDING_MAX + 1)]
    assert [isinstance(code, str) for code in codes] == [True] * PENDING_MAX + [False]
    assert isinstance(await logins.begin(Requester("192.0.2.2", "another"), START), str)
    assert isinstance(await logins.begin(Requester("192.0.2.1", "the same"), START), Problem)
    assert isinstance(await logins.begin(here, START + DAY), str)
    assert await logins.poll(str(codes[0]), START + DAY) is None


async def test_who_asks_is_shown_while_it_waits(database: Database) -> None:
    await add_owners(database)
    logins = _logins(database)
    asks = requester_of("2001:db8::1", "<b>\0" + "x" * 10_000)
    code, other = str(await logins.begin(asks, START)), str(await logins.begin(Requester(), START))
    assert await logins.look_at(code, START) == WaitingLogin(asks, 600)
    assert await logins.look_at(code, START + LIFE - timedelta(milliseconds=1)) == WaitingLogin(asks, 0)
    assert await logins.look_at(other, START) == WaitingLogin(Requester(), 600)
    assert await _refused(logins, code, START + LIFE) == GONE
    for nobody in ("ZZZZ-ZZZZ", "nonsense", "", code.lower()):
        assert await _refused(logins, nobody, START) == 404
    assert await logins.decide(code, "ann", START, approved=True) is None
    assert await _refused(logins, code, START) == 409
    assert isinstance(await logins.poll(code, START), HandedOut)
    assert await _refused(logins, code, START) == 409
    assert await logins.decide(other, "ann", START, approved=False) is None
    assert await _refused(logins, other, START) == 409
    assert await _refused(logins, other, START + LIFE) == GONE


async def test_who_asked_is_stored_sealed_and_not_for_longer_than_it_waits(database: Database) -> None:
    await add_owners(database)
    logins, asks = _logins(database), Requester("192.0.2.1", "tollway/1.0")
    codes = [str(await logins.begin(asks, START + DAY * number)) for number in range(2) for _ in range(2)][2:]
    rows = await _stored_logins(database)
    assert len(rows) == 2
    assert not [row for row in rows if asks.address in str(row) or str(asks.user_agent) in str(row)]
    assert all(row.requester for row in rows)
    await logins.decide(codes[0], "ann", START + DAY, approved=True)
    await logins.decide(codes[1], "ann", START + DAY, approved=False)
    assert [row.requester for row in await _stored_logins(database)] == [None, None]


async def test_what_has_expired_goes_also_when_nobody_logs_in(database: Database) -> None:
    logins, store = _logins(database), SqlDeviceLogins(database)
    old, new = [str(await logins.begin(Requester("192.0.2.1"), START + LIFE * part)) for part in (0, 0.5)]
    await store.forget_expired(START + LIFE)
    assert await _refused(logins, old, START + LIFE) == 404
    assert await logins.look_at(new, START + LIFE) == WaitingLogin(Requester("192.0.2.1"), 300)


async def test_a_login_that_a_version_without_requesters_began_can_be_decided(database: Database) -> None:
    """Guarantee of rolling updates: its rows have none."""
    await add_owners(database)
    logins = _logins(database)
    code = str(await logins.begin(Requester("192.0.2.1", "tollway/1.0"), START))
    await database.write(lambda connection: connection.execute(update(device_logins).values(requester=None)))
    assert await logins.look_at(code, START) == WaitingLogin(Requester(), 600)
    assert await logins.decide(code, "ann", START, approved=True) is None


def _logins(database: Database) -> DeviceLogins:
    return DeviceLogins(SqlDeviceLogins(database), b"pepper", random_bytes)


async def _refused(logins: DeviceLogins, code: str, now: datetime) -> int:
    found = await logins.look_at(code, now)
    assert isinstance(found, Problem)
    return found.http_status


async def _stored_logins(database: Database) -> list[Any]:
    return await database.read(lambda connection: list(connection.execute(select(device_logins)).all()))


async def test_the_audit_log_is_looked_through_and_names_who_is_still_there(database: Database) -> None:
    await add_owners(database)
    admin = SqlAdmin(database)
    for number, (actor, action) in enumerate((("ann", "a"), ("operator", "a"), ("gone", "b"), ("ann", "b"))):
        entry = AuditEntry(f"e{number}", ACME_ID, actor, action, "x", START + DAY * number)
        await add(database, audit_log, {name: getattr(entry, name) for name in ENTRY})
    cases = (
        (AuditFilter(), "3210"),
        (AuditFilter(since=START + DAY), "321"),
        (AuditFilter(until=START + DAY), "0"),
        (AuditFilter(since=START + DAY, until=START + 3 * DAY), "21"),
        (AuditFilter(actor="ann"), "30"),
        (AuditFilter(action="b"), "32"),
        (AuditFilter(actor="ann", action="b"), "3"),
        (AuditFilter(actor="bob"), ""),
    )
    for wanted, numbers in cases:
        found = await admin.list_audit(ACME_ID, Page(), wanted)
        assert "".join(entry.id[1:] for entry in found) == numbers
    named = {entry.actor: (entry.actor_email, entry.actor_name) for entry in await admin.list_audit(ACME_ID, Page())}
    assert named == {"ann": ("ann@example.com", "Ann"), "operator": (None, None), "gone": (None, None)}
    await admin.erase_user("ann", "fresh", START)
    assert {entry.actor_email for entry in await admin.list_audit(ACME_ID, Page())} == {None}


async def test_credits_of_an_organization_are_told_with_them(database: Database) -> None:
    await add_owners(database)
    admin, account = SqlAdmin(database), BudgetRef(BudgetKind.ORGANIZATION, ACME_ID)
    told = [AuditEntry(f"e{number}", ACME_ID, "operator", "a", "x", START) for number in range(3)]
    for number, (amount, audit) in enumerate(zip((100, -40, -70), told, strict=True)):
        credit = CreditTransaction(f"t{number}", None, ACME_ID, amount, False, None, None, None, START)
        with CommitFault(database, 1, committed=True):
            await (admin.add_credit if amount > 0 else admin.refund_credit)(account, credit, audit)
    assert [entry.id for entry in await admin.list_audit(ACME_ID, Page())] == ["e1", "e0"]  # the last was refused
