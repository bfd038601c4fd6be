"""An answer that does not say what it cost: its upstream is asked, when and how often, by the stand-in's own record
(response-path 6.5)."""

from collections.abc import Iterator, Sequence
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from time import monotonic
from typing import Any

import pytest
from sqlalchemy import update

from flow.accounts import Account, Accounts
from flow.commands import tollway
from flow.conversation import Conversation, ask, chat
from flow.patience import until
from flow.programs import Gateway, Sim, settings_for
from flow.usage_rows import attempts_at
from tollway.billing.store import LOOKUPS_MAX
from tollway.clock import utc_now
from tollway.money import round_usd
from tollway.storage.sql.admin.store import SqlAdmin
from tollway.storage.sql.database import Database
from tollway.storage.sql.tables import usage
from tollway.storage.sql.usage import SqlUsage, UsageRow

TOLD = "generation_lookup = true\nstops_billing_on_abort = true"
CREDIT = 10_000_000
PATIENCE_S = 30
LATE_S = 3.0  # so much later than it should a loaded machine may do things


class World:
    def __init__(self, folder: Path, sim: Sim, database_url: str = "", more: str = "") -> None:
        self.sim = sim
        settings = settings_for(folder, sim.url, more_sim=TOLD, database_url=database_url)
        self.gateway = Gateway(folder, settings + more)
        self.accounts = Accounts(self.gateway.config)

    def serve(self, lookups: Sequence[int | str], stream: bool = True, **more: object) -> tuple[Account, str]:
        """One answer without usage; who asked, and the request's id."""
        account = self.accounts.create(CREDIT)
        control = {"usage": "omit", "lookups": lookups, **more}
        answer = ask(self.gateway, account, chat("sim/story", stream, control))
        assert answer.status == 200
        return account, answer.request_id

    def row(self, request_id: str) -> UsageRow:
        async def work(_: SqlAdmin, database: Database) -> UsageRow | None:
            return await SqlUsage(database).find(request_id)

        found = self.accounts.run(work)
        assert found
        return found

    def lookups(self, request_id: str) -> tuple[list[int], list[float]]:
        """Statuses, and seconds since the answer's end."""
        (end,) = attempts_at(self.sim, request_id)
        asked = self.asked_about(end["id"])
        return [one["status"] for one in asked], [one["time"] - end["time"] for one in asked]

    def asked_about(self, message_id: str) -> list[dict[str, Any]]:
        return [one for one in self.sim.records() if one["kind"] == "lookup" and one["id"] == message_id]

    def worth(self, request_id: str) -> int:
        (end,) = attempts_at(self.sim, request_id)
        return int(round_usd(Decimal(end["cost"])))

    def wait_for(self, request_id: str, statuses: list[int]) -> list[float]:
        until = monotonic() + PATIENCE_S
        while (found := self.lookups(request_id))[0] != statuses:
            assert monotonic() < until, found
        return found[1]

    def wait_until_corrected(self, request_id: str) -> UsageRow:
        until = monotonic() + PATIENCE_S
        while (row := self.row(request_id)).reconciled_at is None:
            assert monotonic() < until, row
        return row

    def age(self, *request_ids: str) -> None:
        """They ended long ago."""
        old = update(usage).where(usage.c.id.in_(request_ids)).values(created_at=utc_now() - timedelta(minutes=5))

        async def work(_: SqlAdmin, database: Database) -> None:
            await database.write(lambda connection: connection.execute(old) and None)

        self.accounts.run(work)

    def wait_until_given_up(self, request_id: str) -> None:
        line = self.gateway.wait_for_words('"event":"record_not_found"', request_id)
        assert '"level":"info"' in line


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory, sim: Sim) -> Iterator[World]:
    world = World(tmp_path_factory.mktemp("lookups"), sim)
    yield world
    assert world.accounts.differences() == ()
    assert world.gateway.stop() == 0


def check_times(times: list[float], wanted: list[float]) -> None:
    """Seconds; the pauses are random by a twentieth. Never sooner, and not much later."""
    for at, least in zip(times, wanted, strict=True):
        assert least * 0.94 <= at <= least + LATE_S, (times, wanted)


@pytest.mark.parametrize(
    "status",
    [
        pytest.param(401, id="response:V25-program"),
        *(pytest.param(status, id=f"response:V26-{status}-program") for status in (400, 402, 403, 422)),
    ],
)
def test_a_refusal_ends_it(world: World, status: int) -> None:
    """The caller pays the estimate."""
    account, id_ = world.serve([status])
    world.wait_until_given_up(id_)
    check_times(world.wait_for(id_, [status]), [0.2])
    row = world.row(id_)
    assert (row.basis, row.reconciled_at, row.corrected_microdollars) == ("estimated", None, 0)
    assert world.accounts.balance(account) == CREDIT - row.cost_microdollars < CREDIT


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize("refusals", [pytest.param([404, 404], id="response:V27-program"), [500], []])
def test_a_record_that_comes_late_is_used(world: World, refusals: list[int], stream: bool) -> None:
    account, id_ = world.serve(refusals, stream)
    row = world.wait_until_corrected(id_)
    check_times(world.wait_for(id_, [*refusals, 200]), [0.2, 0.4, 0.7][: len(refusals) + 1])
    assert (row.basis, row.has_error) == ("estimated", False)
    assert row.cost_microdollars + row.corrected_microdollars == world.worth(id_)
    assert world.accounts.balance(account) == CREDIT - world.worth(id_)


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize(
    ("resets", "times"),
    [
        pytest.param(1, [0.2, 0.2], id="response:V29-program"),
        pytest.param(2, [0.2, 0.2, 0.4], id="response:V29-program-twice"),
    ],
)
def test_a_connection_that_is_reset_is_asked_again(world: World, resets: int, times: list[float], stream: bool) -> None:
    """The first one was kept from the answer and may have died meanwhile: then another takes its place at once
    (guarantees U2). One that was new is a failure like any other, with the pause of one."""
    account, id_ = world.serve(["reset"] * resets, stream)
    row = world.wait_until_corrected(id_)
    check_times(world.wait_for(id_, [0] * resets + [200]), times)
    assert row.cost_microdollars + row.corrected_microdollars == world.worth(id_)
    assert world.accounts.balance(account) == CREDIT - world.worth(id_)


@pytest.mark.parametrize(
    ("message_id", "query"),
    [
        pytest.param("a/b?c", "id=a%2Fb%3Fc", id="response:V35-program"),
        ("a b&id=c#d+%é", "id=a%20b%26id%3Dc%23d%2B%25%C3%A9"),
    ],
)
def test_an_odd_id_is_one_value_of_the_address(world: World, message_id: str, query: str) -> None:
    account, id_ = world.serve([], id=message_id)
    world.wait_until_corrected(id_)
    assert [one["query"] for one in world.asked_about(message_id)] == [query]
    assert world.row(id_).message_id == message_id
    assert world.accounts.balance(account) == CREDIT - world.worth(id_)


@pytest.mark.parametrize(
    "statuses",
    [
        pytest.param([401], id="response:V25-for-good"),
        pytest.param([400, 402, 403, 422], id="response:V26-for-good"),
    ],
)
def test_a_refusal_ends_it_for_reconciliation_too(
    tmp_path: Path, sim: Sim, database_url: str, statuses: list[int]
) -> None:
    """Neither a job nor a command asks again what was refused, while they go on asking about others."""
    jobs = "\n[timeouts]\nestimates_poll_s = 0.2\nlookup_s = 0.1\n"  # of an answer's end on, each is asked about once
    world = World(tmp_path, sim, database_url, jobs)
    try:
        check_refusals(world, statuses)
        assert world.gateway.stop() == 0
    finally:
        world.gateway.end()


def check_refusals(world: World, statuses: list[int]) -> None:
    refused = {world.serve([status])[1]: status for status in statuses}
    until(lambda: all(world.row(id_).lookups == LOOKUPS_MAX for id_ in refused))
    _, later = world.serve([404])
    world.wait_until_given_up(later)
    world.age(*refused, later)
    world.wait_until_corrected(later)
    assert tollway(world.gateway.config, "reconcile").code == 0
    for id_, status in refused.items():
        assert world.lookups(id_)[0] == [status]
        assert world.row(id_).reconciled_at is None
    assert world.accounts.differences() == ()


@pytest.mark.parametrize("pauses", [pytest.param(9, id="response:V28-program")])
def test_an_upstream_that_always_fails_is_asked_ten_times(world: World, pauses: int) -> None:
    account, id_ = world.serve([503] * 20)
    world.wait_until_given_up(id_)
    statuses, times = world.lookups(id_)
    assert statuses == [503] * (pauses + 1)
    check_times(times, [0.2 + 0.2 * (1.5**number - 1) / 0.5 for number in range(pauses + 1)])
    row = world.row(id_)
    assert (row.basis, row.reconciled_at) == ("estimated", None)
    assert world.accounts.balance(account) == CREDIT - row.cost_microdollars


def test_a_client_that_leaves_pays_what_was_generated(world: World) -> None:
    """Charged by estimate first (M6), corrected within the second; the row stays one of an error."""
    account = world.accounts.create(CREDIT)
    with Conversation(world.gateway) as conversation:
        body: dict[str, Any] = chat("sim/story", True, {"chunks": 2_000, "delay_ms": 5})
        conversation.ask(account, body)
        id_ = conversation.read_until(b"data: ", 20).partition(b"x-request-id: ")[2][:32].decode()
    until = monotonic() + PATIENCE_S
    while not attempts_at(world.sim, id_):
        assert monotonic() < until
    world.accounts.run(_nothing)
    row = world.wait_until_corrected(id_)
    assert world.lookups(id_)[0][-1] == 200
    assert (row.basis, row.has_error, row.cancelled) == ("interrupted", True, True)
    assert row.cost_microdollars + row.corrected_microdollars == world.worth(id_)


async def _nothing(_: SqlAdmin, __: Database) -> None:
    """Wait for what has ended to be in the books."""
