"""An answer that does not say what it cost: its upstream is asked, when and how often, by the stand-in's own record
(response-path 6.5)."""

from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from time import monotonic
from typing import Any

import pytest

from flow.accounts import Account, Accounts
from flow.conversation import Conversation, ask, chat
from flow.programs import Gateway, Sim, settings_for
from flow.usage_rows import attempts_at
from tollway.money import round_usd
from tollway.storage.sql.admin.store import SqlAdmin
from tollway.storage.sql.database import Database
from tollway.storage.sql.usage import SqlUsage, UsageRow

TOLD = "generation_lookup = true\nstops_billing_on_abort = true"
CREDIT = 10_000_000
PATIENCE_S = 30
LATE_S = 3.0  # so much later than it should a loaded machine may do things


class World:
    def __init__(self, folder: Path, sim: Sim) -> None:
        self.sim = sim
        self.gateway = Gateway(folder, settings_for(folder, sim.url, more_sim=TOLD))
        self.accounts = Accounts(self.gateway.config)

    def serve(self, lookups: list[int], stream: bool = True) -> tuple[Account, str]:
        """One answer without usage; who asked, and the request's id."""
        account = self.accounts.create(CREDIT)
        answer = ask(self.gateway, account, chat("sim/story", stream, {"usage": "omit", "lookups": lookups}))
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
        asked = [one for one in self.sim.records() if one["kind"] == "lookup" and one["id"] == end["id"]]
        return [one["status"] for one in asked], [one["time"] - end["time"] for one in asked]

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
