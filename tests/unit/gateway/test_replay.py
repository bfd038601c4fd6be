import asyncio
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from types import TracebackType

import pytest
from msgspec import Raw
from structlog.testing import capture_logs

from tollway.billing.journal import Entry, Replay
from tollway.billing.ledger import Basis
from tollway.billing.recovery import Opened, PayerPart, Progressed, closed_of, encode_entry, offer_part
from tollway.billing.store import JournalUnavailableError, StoreUnavailableError
from tollway.catalog.model import Price
from tollway.gateway.replay import BATCH_MAX, DeadJournal, Replayed, replay
from tollway.wire.answer import Answer
from unit.billing.outcomes import DAY, USER, hold_of, outcome_of
from unit.gateway.fake_money import AFTER, BEFORE, FakeBooks

NOW = datetime(2026, 11, 20, tzinfo=UTC)
PRICE = Price("v", NOW, Decimal("0.000002"), Decimal("0.00001"))
CHARGE = 3


@dataclass
class Damage:
    spans: int = 0
    bytes: int = 0


@dataclass
class FakeDead:
    """A journal whose worker is gone. `fails` once at that step ("read", "remove")."""

    worker_id: str
    entries: list[Entry]
    happened: list[str]
    damaged: Damage = field(default_factory=Damage)
    fails: str = ""
    is_there: bool = True
    is_ours: bool = False
    aside: list[Entry] = field(default_factory=list)

    def __enter__(self) -> "FakeDead":
        self.is_ours = True
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.is_ours = False

    def read(self) -> Replay:
        self._step("read")
        return Replay(tuple(self.entries))

    def set_aside(self, entries: Sequence[Entry]) -> None:
        self._step("set_aside")
        self.aside = list(entries)

    def remove(self) -> None:
        self._step("remove")
        self.is_there = False

    def _step(self, name: str) -> None:
        assert self.is_ours
        self.happened.append(name)
        if self.fails == name:
            self.fails = ""
            raise JournalUnavailableError("the disk")


class Ruins:
    """Books, and what dead workers have left."""

    def __init__(self) -> None:
        self.books = FakeBooks({USER.id: 1_000_000})
        self.journals: list[FakeDead] = []

    def dies(self, worker_id: str, *entries: Entry, leased: int = 10_000) -> FakeDead:
        self.books.leases[worker_id][USER.id] = leased
        self.journals.append(FakeDead(worker_id, list(entries), self.books.calls))
        return self.journals[-1]

    def dead(self) -> Iterator[DeadJournal]:
        yield from [journal for journal in self.journals if journal.is_there]

    async def replay(self) -> Replayed:
        with capture_logs() as self.lines:
            try:
                return await replay(self.dead, self.books)
            finally:
                assert not any(journal.is_ours for journal in self.journals)


def opened(request_id: str) -> bytes:
    payer = PayerPart("ada", None, None, (USER,))
    return encode_entry(
        Opened(
            payer=Raw(encode_entry(payer)),
            offer=offer_part("sim", "m", "m", PRICE, False),
            usage_day=DAY,
            hold_worst_case=100,
            amounts=(100,),
            worst_case=100,
            prompt_tokens_max=50,
            completion_tokens_max=50,
            requested_model="m",
            streamed=True,
            route=("sim/m",),
            attempts=(),
            created_at=NOW,
        )
    )


def closed(request_id: str) -> Entry:
    end = encode_entry(closed_of(outcome_of(hold_of(request_id, 100), CHARGE)))
    return Entry(request_id, opened(request_id), None, end, False)


def broken_off(request_id: str, pieces: int | None = None) -> Entry:
    """A request that was under way, with so many pieces of output; None: nothing was told of it."""
    told = None
    if pieces is not None:
        told = encode_entry(Progressed(200, Answer("gen", "m", has_output=True, output_units=pieces), 0))
    return Entry(request_id, opened(request_id), told, None, False)


def on_a_loop(scenario: Callable[[Ruins], object]) -> Callable[[], None]:
    def run() -> None:
        asyncio.run(scenario(Ruins()))  # type: ignore[arg-type]  # a coroutine

    return run


@on_a_loop
async def test_nobody_is_dead(ruins: Ruins) -> None:
    assert await ruins.replay() == Replayed()
    assert ruins.books.calls == []


@on_a_loop
async def test_what_was_closed_is_settled_then_leases_come_back_and_then_it_is_deleted(ruins: Ruins) -> None:
    ruins.dies("a", closed("r1"), closed("r2"))
    assert await ruins.replay() == Replayed(workers=1, settled=2)
    assert ruins.books.calls == ["read", "settle", "retire", "remove"]
    assert list(ruins.books.settled) == ["r1", "r2"]
    assert ruins.books.settled["r1"].charge == CHARGE
    assert (ruins.books.spent[USER.id], ruins.books.leased(USER.id)) == (2 * CHARGE, 0)
    assert await ruins.replay() == Replayed()


@on_a_loop
async def test_what_was_under_way_is_charged_for_what_had_passed(ruins: Ruins) -> None:
    ruins.dies("a", broken_off("r1", 4), broken_off("r2"))
    assert await ruins.replay() == Replayed(workers=1, interrupted=2)
    first, second = ruins.books.settled.values()
    assert (first.basis, first.charge) == (Basis.INTERRUPTED, 40)
    assert (second.basis, second.charge) == (Basis.ABSORBED, 0)


@on_a_loop
async def test_what_was_released_is_over(ruins: Ruins) -> None:
    ruins.dies("a", Entry("r1", opened("r1"), None, None, True))
    assert await ruins.replay() == Replayed(workers=1)
    assert ruins.books.calls == ["read", "retire", "remove"]


@on_a_loop
async def test_a_worker_that_served_nothing_leaves_its_leases(ruins: Ruins) -> None:
    ruins.dies("a")
    assert await ruins.replay() == Replayed(workers=1)
    assert ruins.books.leased(USER.id) == 0


@on_a_loop
async def test_what_cannot_be_read_is_set_aside_and_keeps_nothing_waiting(ruins: Ruins) -> None:
    """Whether it was closed or not; the others are counted right beside it."""
    without_opening = Entry("r1", None, None, closed("r1").close, False)
    progress_alone = Entry("r2", None, broken_off("r2", 3).progress, None, False)
    unknown = Entry("r3", b"\xc1", None, None, False)
    no_text = Entry("r4", opened("r4").replace(b"\xa3ada", b"\xa3\xff\xfe\xfd", 1), None, None, False)
    journal = ruins.dies("a", without_opening, progress_alone, unknown, no_text, closed("r5"), broken_off("r6"))
    assert await ruins.replay() == Replayed(workers=1, settled=1, interrupted=1, unreadable=4)
    assert list(ruins.books.settled) == ["r5", "r6"]
    unreadable = [line["request_id"] for line in ruins.lines if line["event"] == "journal_entry_unreadable"]
    assert unreadable == ["r1", "r2", "r3", "r4"]
    assert "journal_set_aside" in {line["event"] for line in ruins.lines}
    assert journal.aside == [without_opening, progress_alone, unknown, no_text]
    assert ruins.books.calls == ["read", "settle", "set_aside", "retire", "remove"]


@on_a_loop
async def test_damage_is_counted_and_said(ruins: Ruins) -> None:
    ruins.dies("a", closed("r1")).damaged = Damage(2, 99)
    assert await ruins.replay() == Replayed(workers=1, settled=1, damaged=2)
    assert [line["spans"] for line in ruins.lines if line["event"] == "journal_set_aside"] == [2]


@on_a_loop
async def test_each_of_the_dead_is_settled_with_its_own_leases(ruins: Ruins) -> None:
    ruins.dies("a", closed("r1"))
    ruins.dies("b", broken_off("r2"), closed("r3"))
    ruins.books.leases["alive"][USER.id] = 77
    assert await ruins.replay() == Replayed(workers=2, settled=2, interrupted=1)
    assert ruins.books.calls == ["read", "settle", "retire", "remove"] * 2
    assert ruins.books.leased(USER.id) == 77


@on_a_loop
async def test_many_are_settled_in_batches(ruins: Ruins) -> None:
    ruins.dies("a", *[closed(f"r{number}") for number in range(2 * BATCH_MAX + 1)])
    assert await ruins.replay() == Replayed(workers=1, settled=2 * BATCH_MAX + 1)
    assert [len(batch) for batch in ruins.books.batches] == [BATCH_MAX, BATCH_MAX, 1]


@on_a_loop
async def test_one_that_cannot_be_settled_keeps_nothing_waiting(ruins: Ruins) -> None:
    entries = [closed("r0"), closed("r1"), broken_off("r2", 1), closed("r3")]
    journal = ruins.dies("a", *entries)
    ruins.books.poison = {"r2"}
    assert await ruins.replay() == Replayed(workers=1, settled=3, refused=1)
    assert journal.aside == [entries[2]]
    assert list(ruins.books.settled) == ["r0", "r1", "r3"]
    refused = [line["request_id"] for line in ruins.lines if line["event"] == "settlement_refused"]
    assert refused == ["r2"]
    assert ruins.books.leased(USER.id) == 0


@on_a_loop
async def test_what_the_worker_had_settled_itself_is_not_settled_again(ruins: Ruins) -> None:
    """It died before it could acknowledge."""
    ruins.dies("a", closed("r1"), closed("r2"))
    await ruins.books.settle("a", [outcome_of(hold_of("r1", 100), CHARGE)])
    await ruins.replay()
    assert ruins.books.spent[USER.id] == 2 * CHARGE


STEPS = [("settle", BEFORE), ("settle", AFTER), ("retire", BEFORE), ("retire", AFTER), ("read", ""), ("remove", "")]


@pytest.mark.parametrize("worker", ["a", "b"])
@pytest.mark.parametrize(("step", "goes"), STEPS)
def test_wherever_it_stops_it_goes_on(step: str, goes: str, worker: str) -> None:
    """The one who replays may die as well, or the books go away: the next time everything is there, once."""

    async def scenario() -> None:
        ruins = Ruins()
        ruins.dies("a", closed("r1"), broken_off("r2", 4))
        ruins.dies("b", closed("r3"))
        if goes:
            last = ["settle", "retire"].index(step) + (2 if worker == "b" else 0)
            fails = iter([""] * last + [goes])
            ruins.books.fails = lambda _: next(fails, "")
        else:
            next(journal for journal in ruins.journals if journal.worker_id == worker).fails = step
        if goes:
            with pytest.raises(StoreUnavailableError):
                await ruins.replay()
        else:  # the disk does not give this one; the other is settled all the same
            assert (await ruins.replay()).unavailable == 1
        left = {journal.worker_id for journal in ruins.journals if journal.is_there}
        assert left == ({"a", "b"} if (goes, worker) == (goes or "x", "a") else {worker})
        await ruins.replay()
        assert {id_: outcome.charge for id_, outcome in ruins.books.settled.items()} == {"r1": 3, "r2": 40, "r3": 3}
        assert (ruins.books.spent[USER.id], ruins.books.leased(USER.id)) == (46, 0)
        assert not any(journal.is_there for journal in ruins.journals)

    asyncio.run(scenario())


def test_the_loop_goes_on_while_the_disk_is_read() -> None:
    async def scenario() -> None:
        ruins, loop = Ruins(), asyncio.get_running_loop()
        went_on = asyncio.Event()

        class Slow(FakeDead):
            def read(self) -> Replay:
                asyncio.run_coroutine_threadsafe(went_on.wait(), loop).result(timeout=10)
                return super().read()

        ruins.journals.append(Slow("a", [closed("r1")], ruins.books.calls))
        loop.call_soon(went_on.set)
        assert (await ruins.replay()).settled == 1

    asyncio.run(scenario())
