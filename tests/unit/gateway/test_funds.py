"""Funds beside books and a journal that fail in every way: money is never promised twice, and never lost."""

import asyncio
from collections.abc import Callable, Coroutine
from functools import wraps
from typing import Any

import pytest
from msgspec.msgpack import Decoder
from msgspec.structs import replace
from structlog.testing import capture_logs

from tollway.billing.ledger import BudgetKind, BudgetRef, Hold, HoldOrder, HoldPolicy, HoldRefused
from tollway.billing.recovery import Closed, closed_of
from tollway.billing.store import JournalUnavailableError, StoreUnavailableError
from tollway.gateway.funds import IDLE_S, RECALL_S, REFUSAL_KEPT_S
from tollway.money import MICRODOLLARS_MAX, Microdollars
from tollway.steps import Steps
from unit.billing.outcomes import KEY, USER, hold_of, order_of, outcome_of
from unit.gateway.fake_money import AFTER, BEFORE, FakeBooks, FakeJournal
from unit.gateway.worker import Worker, turns

BOTH = (USER, KEY)


def on_a_loop(scenario: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., None]:
    @wraps(scenario)
    def run(*args: Any, **kwargs: Any) -> None:
        asyncio.run(scenario(*args, **kwargs))

    return run


def rich() -> Worker:
    return Worker(FakeBooks({USER.id: 1_000_000}))


def orders(count: int, need: int, policy: HoldPolicy = HoldPolicy.PARTIAL) -> list[HoldOrder]:
    return [order_of(f"r{number}", need, policy=policy) for number in range(count)]


async def all_at_once(worker: Worker, wanted: list[HoldOrder]) -> list[Hold | HoldRefused]:
    return list(await asyncio.gather(*[worker.hold(order) for order in wanted]))


# cut in memory


@on_a_loop
async def test_what_the_slice_covers_is_held_at_once() -> None:
    worker = rich()
    await worker.held(order_of("first", 10))
    for number in range(100):
        hold = worker.funds.hold(order_of(str(number), 10))
        assert hold == hold_of(str(number), 10)
    assert worker.books.calls == ["lease"]


@on_a_loop
async def test_a_free_model_needs_neither_money_nor_books() -> None:
    worker = Worker(FakeBooks())
    worker.books.away = BEFORE
    hold = worker.funds.hold(order_of("r", 0, BOTH))
    assert isinstance(hold, Hold)
    assert (hold.amounts, hold.is_partly_covered, worker.books.calls) == ((0, 0), False, [])
    worker.funds.release(hold)
    await worker.funds.close(outcome_of(hold, 0, absorbed=3))


@on_a_loop
async def test_a_limit_that_was_changed_is_asked_about() -> None:
    worker = Worker(FakeBooks())
    await worker.held(order_of("r", 10, [KEY]))
    assert isinstance(worker.funds.hold(order_of("s", 10, [KEY])), Hold)
    lowered = replace(KEY, limit=Microdollars(15))
    refused = await worker.hold(order_of("t", 10, [lowered]))
    assert refused == HoldRefused(lowered, Microdollars(-5))
    assert worker.books.count("lease") == 2


# one question for many


@pytest.mark.parametrize(("balance", "asks_max"), [(1_000_000, 1), (2_000, 12)])
@on_a_loop
async def test_many_who_wait_are_answered_by_few_questions(balance: int, asks_max: int) -> None:
    worker = Worker(FakeBooks({USER.id: balance}))
    answers = await all_at_once(worker, orders(200, 10))
    assert all(isinstance(answer, Hold) and not answer.is_partly_covered for answer in answers)
    assert worker.books.count("lease") <= asks_max


@pytest.mark.parametrize(
    ("policy", "more", "covered"), [(HoldPolicy.PARTIAL, 0, 3), (HoldPolicy.PARTIAL, 5, 4), (HoldPolicy.STRICT, 5, 3)]
)
@on_a_loop
async def test_two_hundred_at_once_on_what_covers_three(policy: HoldPolicy, more: int, covered: int) -> None:
    """Guarantees M2, its proof; the fourth is the one partly covered request."""
    worker = Worker(FakeBooks({USER.id: 3 * 100 + more}))
    answers = await all_at_once(worker, orders(200, 100, policy))
    held = [answer for answer in answers if isinstance(answer, Hold)]
    assert [hold.amount for hold in held] == [100] * 3 + [more] * (covered - 3)
    assert worker.books.count("lease") <= 6


@on_a_loop
async def test_questions_about_other_budgets_do_not_wait() -> None:
    worker = Worker(FakeBooks({USER.id: 100}))
    worker.books.held_up = {"lease"}
    first = asyncio.create_task(worker.hold(order_of("a", 10, [USER])))
    second = asyncio.create_task(worker.hold(order_of("b", 10, [KEY])))
    third = asyncio.create_task(worker.hold(order_of("c", 10, BOTH)))
    await turns()
    assert [[ask.budget for ask in order.asks] for order in worker.books.orders] == [[USER], [KEY]]
    worker.books.held_up.clear()
    assert await asyncio.gather(first, second, third)
    assert worker.books.count("lease") <= 3


@on_a_loop
async def test_any_mix_of_budgets_is_answered() -> None:
    worker = Worker(FakeBooks({USER.id: 100_000}))
    other = BudgetRef(BudgetKind.KEY, "other", Microdollars(50_000))
    mixes = [(USER,), (USER, KEY), (KEY,), (USER, other), (other,)]
    wanted = [order_of(str(number), 1 + number % 7, mixes[number % 5]) for number in range(200)]
    assert {type(answer) for answer in await all_at_once(worker, wanted)} == {Hold}
    assert worker.books.count("lease") < 20


@on_a_loop
async def test_it_needs_no_task() -> None:
    """Requests run as Steps."""
    worker, answers = Worker(FakeBooks({USER.id: 200})), list[Hold | HoldRefused]()

    async def request(order: HoldOrder) -> None:
        answers.append(await worker.hold(order))

    for order in orders(50, 10):
        Steps(request(order), asyncio.get_running_loop(), lambda _: None).go_on()
    while len(answers) < 50:
        await asyncio.sleep(0)
    assert sum(isinstance(answer, Hold) for answer in answers) == 20


@on_a_loop
async def test_one_who_waits_may_leave() -> None:
    worker = rich()
    first, leaving, last = [asyncio.create_task(worker.hold(order)) for order in orders(3, 10)]
    await turns(1)
    leaving.cancel()
    assert isinstance(await first, Hold)
    assert isinstance(await last, Hold)
    assert worker.slices.held == 20


@on_a_loop
async def test_one_who_asks_may_leave_and_the_others_ask_again() -> None:
    """Nobody knows then what the books did."""
    worker = rich()
    worker.books.held_up = {"lease"}
    leaving, other = [asyncio.create_task(worker.hold(order)) for order in orders(2, 10)]
    await turns()
    leaving.cancel()
    await turns()
    assert worker.books.count("lease") == 2
    worker.books.held_up.clear()
    hold = await other
    assert isinstance(hold, Hold)
    worker.funds.release(hold)
    await worker.funds.report()
    assert worker.books.returned == [{USER.id: MICRODOLLARS_MAX}]


# refusals


@on_a_loop
async def test_an_empty_budget_is_not_asked_by_every_request() -> None:
    worker = Worker(FakeBooks({USER.id: -7}))
    refusal = HoldRefused(USER, Microdollars(-7))
    assert await worker.hold(order_of("r", 10)) == refusal
    worker.clock.now += REFUSAL_KEPT_S * 0.9
    assert worker.funds.hold(order_of("s", 10)) == refusal  # at once
    assert worker.funds.hold(order_of("t", 11, BOTH)) == refusal
    assert worker.books.count("lease") == 1
    worker.clock.now += REFUSAL_KEPT_S * 0.2
    worker.books.balances[USER.id] = 1_000
    assert isinstance(await worker.hold(order_of("u", 10)), Hold)


@on_a_loop
async def test_a_refusal_is_not_for_those_who_need_less_or_have_another_limit() -> None:
    worker = Worker(FakeBooks())
    small = replace(KEY, limit=Microdollars(10))
    assert isinstance(await worker.hold(order_of("r", 11, [small], HoldPolicy.STRICT)), HoldRefused)
    assert isinstance(await worker.hold(order_of("s", 10, [small], HoldPolicy.STRICT)), Hold)
    assert isinstance(await worker.hold(order_of("t", 11, [KEY], HoldPolicy.STRICT)), Hold)
    assert worker.books.count("lease") == 3


@on_a_loop
async def test_a_refusal_of_one_budget_leaves_what_the_others_had() -> None:
    worker = Worker(FakeBooks({USER.id: 1_000}))
    await worker.held(order_of("first", 10))
    before = worker.totals
    none = replace(KEY, limit=Microdollars(0))
    assert isinstance(await worker.hold(order_of("r", 10, [USER, none])), HoldRefused)
    assert worker.totals == before
    assert isinstance(worker.funds.hold(order_of("s", 10)), Hold)


@on_a_loop
async def test_a_refusal_may_come_after_its_slice_was_looked_at() -> None:
    """A long question and a report meet: what is staked is not forgotten."""
    worker = rich()
    worker.funds.release(await worker.held(order_of("first", 10)))
    free = worker.slices.free
    worker.clock.now += IDLE_S + 1
    worker.books.balances[USER.id] = 0
    worker.books.held_up = {"lease"}
    asking = asyncio.create_task(worker.hold(order_of("r", 10**6, policy=HoldPolicy.STRICT)))
    await turns()
    await worker.funds.report()
    worker.books.held_up.clear()
    assert isinstance(await asking, HoldRefused)
    assert worker.slices.free == free


# recall


def two() -> tuple[Worker, Worker]:
    """Two workers, of which the second has leased a half and uses nothing of it."""
    books = FakeBooks({USER.id: 1_000})
    first, second = Worker(books), Worker(books, "b")
    return first, second


@on_a_loop
async def test_others_are_given_the_time_to_give_back() -> None:
    first, second = two()
    second.funds.release(await second.held(order_of("s", 10)))
    first.while_asleep = second.funds.report
    hold = await first.held(order_of("r", 800, policy=HoldPolicy.STRICT))
    assert (hold.amounts, first.slept) == ((800,), [RECALL_S])
    assert [order.is_last_try for order in first.books.orders[1:]] == [False, True]
    assert second.slices.free == 0


@on_a_loop
async def test_and_if_they_do_not_it_is_refused_in_the_end() -> None:
    first, second = two()
    await second.held(order_of("s", 500))
    first.while_asleep = second.funds.report
    refused = await first.hold(order_of("r", 800, policy=HoldPolicy.STRICT))
    assert refused == HoldRefused(USER, Microdollars(500))
    assert len(first.slept) == 1
    assert isinstance(first.funds.hold(order_of("s", 800)), HoldRefused)  # known now


@pytest.mark.parametrize("helped", [True, False])
@on_a_loop
async def test_many_who_wait_for_others_ask_once_before_and_hardly_more_after(helped: bool) -> None:
    first, second = two()
    hold = await second.held(order_of("s", 900))

    async def give_back() -> None:
        await turns(20)
        if helped:
            second.funds.release(hold)
            await second.funds.report()

    first.while_asleep = lambda: turns(50)
    asked = first.books.count("lease")
    answers, _ = await asyncio.gather(all_at_once(first, orders(200, 150, HoldPolicy.STRICT)), give_back())
    assert sum(isinstance(answer, Hold) for answer in answers) == (6 if helped else 0)
    assert first.books.count("lease") - asked <= (8 if helped else 2)


@on_a_loop
async def test_who_needs_less_need_not_wait_for_others() -> None:
    first, second = two()
    await second.held(order_of("s", 900))
    sleeping = asyncio.create_task(first.hold(order_of("r", 150, policy=HoldPolicy.STRICT)))
    first.while_asleep = lambda: turns(50)
    await turns()
    assert len(first.slept) == 1
    await first.held(order_of("t", 90, policy=HoldPolicy.STRICT))
    assert len(first.slept) == 1
    first.clock.now += RECALL_S * 0.9
    asked = first.books.count("lease")
    late = asyncio.create_task(first.hold(order_of("u", 150, policy=HoldPolicy.STRICT)))
    await turns()
    assert (len(first.slept), first.books.count("lease")) == (2, asked)
    assert [type(answer) for answer in await asyncio.gather(sleeping, late)] == [HoldRefused] * 2


@on_a_loop
async def test_partly_covered_is_only_who_was_not_helped() -> None:
    first, second = two()
    await second.held(order_of("s", 500))
    assert (await first.held(order_of("r", 800))).amounts == (500,)
    assert len(first.slept) == 1


@on_a_loop
async def test_a_recall_is_heeded_between_reports() -> None:
    first, second = two()
    await second.funds.report()  # so it knows that it is not alone
    second.funds.release(await second.held(order_of("s", 10)))
    calls = len(second.books.calls)
    await second.funds.heed()
    assert second.books.calls[calls:] == ["is_recalled"]
    first.while_asleep = second.funds.heed
    assert (await first.held(order_of("r", 800))).amounts == (800,)


@on_a_loop
async def test_one_who_has_nothing_does_not_ask_whether_others_wait() -> None:
    worker = rich()
    await worker.funds.heed()
    assert worker.books.calls == []
    worker.funds.release(await worker.held(order_of("r", 10)))
    await worker.funds.heed()
    assert worker.books.calls[-1] == "is_recalled"


@on_a_loop
async def test_one_who_thinks_to_be_alone_heeds_too() -> None:
    """Somebody may have come since the last report."""
    first, second = two()
    second.funds.release(await second.held(order_of("s", 10)))
    first.while_asleep = second.funds.heed
    assert (await first.held(order_of("r", 800))).amounts == (800,)


@on_a_loop
async def test_the_more_share_a_budget_the_less_each_takes() -> None:
    first, second = two()
    await first.funds.report()
    await first.held(order_of("r", 10))
    assert first.slices.free == 240
    await second.held(order_of("s", 10))  # has not reported yet
    assert second.slices.free == (1_000 - 250) // 2 - 10


# giving back


@on_a_loop
async def test_what_no_request_has_used_for_a_while_goes_back() -> None:
    worker = rich()
    hold = await worker.held(order_of("r", 10))
    worker.clock.now += IDLE_S
    await worker.funds.report()
    assert worker.books.returned == []
    worker.clock.now += 1
    await worker.funds.report()
    assert worker.books.leased(USER.id) == 10  # what is held stays
    worker.funds.release(hold)
    await worker.funds.report()
    assert (worker.books.leased(USER.id), worker.totals) == (0, (0, 0, 0))
    await worker.funds.report()
    assert (len(worker.slices), worker.books.count("give_back")) == (0, 2)


@on_a_loop
async def test_what_is_on_its_way_back_is_not_held() -> None:
    worker = rich()
    worker.funds.release(await worker.held(order_of("first", 10)))
    worker.clock.now += IDLE_S + 1
    reporting = asyncio.create_task(worker.funds.report())
    worker.books.held_up = {"give_back"}
    await turns()
    waiting = asyncio.create_task(worker.hold(order_of("r", 10)))
    await turns()
    assert worker.books.count("lease") == 1  # it waits for the answer
    worker.books.held_up.clear()
    assert isinstance(await waiting, Hold)
    await reporting
    assert worker.books.leased(USER.id) == sum(worker.totals)


@on_a_loop
async def test_what_is_being_asked_about_is_not_given_back() -> None:
    worker = rich()
    first = await worker.held(order_of("first", 10))
    worker.books.held_up = {"lease"}
    asking = asyncio.create_task(worker.hold(order_of("r", 600_000)))
    await turns()
    worker.funds.release(first)
    worker.books.recalled.add((worker.id, USER.id))
    await worker.funds.report()
    assert worker.books.returned == []
    worker.books.held_up.clear()
    worker.funds.release(await asking)
    assert worker.books.leased(USER.id) == sum(worker.totals) > 0
    await worker.funds.heed()  # the recall has not been forgotten
    assert worker.books.leased(USER.id) == sum(worker.totals) == 0
    await worker.funds.heed()
    assert worker.books.count("report") == 2


@on_a_loop
async def test_a_partly_covered_request_that_came_to_nothing_lets_the_next_one_in() -> None:
    worker = Worker(FakeBooks({USER.id: 50}))
    hold = await worker.held(order_of("r", 100))
    assert worker.books.marks == {USER.id: "r"}
    worker.funds.release(hold)
    worker.books.away = BEFORE
    with pytest.raises(StoreUnavailableError):
        await worker.funds.report()
    worker.books.away, worker.books.fails = "", lambda call: AFTER if call == "give_back" else ""
    with pytest.raises(StoreUnavailableError):
        await worker.funds.report()
    worker.books.marks = {USER.id: "r"}  # it was rolled back
    worker.books.fails = lambda _: ""
    await worker.funds.report()
    assert worker.books.marks == {}
    assert (await worker.held(order_of("s", 100))).is_partly_covered
    calls = worker.books.count("give_back")
    await worker.funds.report()
    assert worker.books.count("give_back") == calls  # said once


# answers that are lost


@pytest.mark.parametrize("goes", [BEFORE, AFTER])
@on_a_loop
async def test_a_lost_answer_is_counted_as_gone_until_the_slice_is_quiet(goes: str) -> None:
    worker = Worker(FakeBooks({USER.id: 1_000}))
    first = await worker.held(order_of("first", 10))
    worker.books.away = goes
    with pytest.raises(StoreUnavailableError):
        await worker.hold(order_of("r", 600))
    worker.books.away = ""
    assert worker.totals == (0, 10, 0)
    second = await worker.held(order_of("s", 10))
    assert sum(worker.totals) <= worker.books.leased(USER.id)
    await worker.funds.report()
    assert worker.books.returned == [{}]  # it is in use, so only its mark is gone
    worker.funds.release(first)
    await worker.funds.close(outcome_of(second, 4))
    await worker.funds.report()
    assert worker.books.returned == [{}]  # and not settled
    await worker.settlement.settle()
    await worker.funds.report()
    assert worker.books.returned[1:] == [{USER.id: MICRODOLLARS_MAX}]
    assert (worker.books.leased(USER.id), worker.totals) == (0, (0, 0, 0))


@on_a_loop
async def test_those_who_waited_for_a_lost_answer_ask_themselves() -> None:
    worker = rich()
    fails = iter([AFTER, BEFORE])
    worker.books.fails = lambda _: next(fails, "")
    answers = await asyncio.gather(*[worker.hold(order) for order in orders(50, 10)], return_exceptions=True)
    assert [type(answer) for answer in answers] == [StoreUnavailableError] * 2 + [Hold] * 48
    assert worker.books.count("lease") == 3


@on_a_loop
async def test_a_lost_answer_leaves_no_mark_behind() -> None:
    """The books may have taken the request for the one that is partly covered, and nobody would tell them otherwise."""
    worker = Worker(FakeBooks({USER.id: 50}))
    worker.books.away = AFTER
    with pytest.raises(StoreUnavailableError):
        await worker.hold(order_of("r", 100))
    worker.books.away = ""
    assert worker.books.marks == {USER.id: "r"}
    await worker.funds.report()
    assert worker.books.marks == {}
    assert (await worker.held(order_of("s", 100))).amounts == (50,)


@on_a_loop
async def test_what_was_given_back_without_an_answer_is_made_sure_of() -> None:
    worker = rich()
    worker.funds.release(await worker.held(order_of("r", 10)))
    free = worker.slices.free
    worker.clock.now += IDLE_S + 1
    worker.books.fails = lambda call: BEFORE if call == "give_back" else ""
    with pytest.raises(StoreUnavailableError):
        await worker.funds.report()
    worker.books.fails = lambda _: ""
    await worker.funds.report()
    assert worker.books.returned == [{USER.id: free}, {USER.id: MICRODOLLARS_MAX}]
    assert worker.books.leased(USER.id) == 0


# ends


@on_a_loop
async def test_an_end_is_durable_before_anything_follows_from_it() -> None:
    worker = Worker(FakeBooks({USER.id: 1_000}), journal=FakeJournal(by_hand=True))
    outcome = outcome_of(await worker.held(order_of("r", 100)), 30)
    closing = asyncio.create_task(worker.funds.close(outcome))
    await turns()
    assert not closing.done()
    assert (worker.totals, len(worker.settlement)) == ((400, 100, 0), 0)
    worker.journal.sync()
    await closing
    assert (worker.totals, len(worker.settlement)) == ((470, 0, 30), 1)
    assert worker.books.calls == ["lease"]
    kind, request_id, payload = worker.journal.records[0]
    assert (kind, request_id, Decoder(Closed).decode(payload)) == ("close", "r", closed_of(outcome))
    await worker.settlement.settle()
    assert (worker.totals, worker.books.leased(USER.id)) == ((470, 0, 0), 470)


@on_a_loop
async def test_what_the_journal_cannot_keep_goes_into_the_books_at_once() -> None:
    worker = rich()
    worker.journal.is_broken = True
    outcome = outcome_of(await worker.held(order_of("r", 100)), 30)
    with capture_logs() as lines:
        await worker.funds.close(outcome)
    assert [line["event"] for line in lines] == ["journal_unavailable"]
    assert worker.books.settled == {"r": outcome}
    assert (worker.slices.held, worker.slices.used, len(worker.settlement)) == (0, 0, 0)
    assert worker.books.leased(USER.id) == worker.slices.free
    assert worker.journal.of("acknowledge") == ["r"]


@pytest.mark.parametrize("goes", [BEFORE, AFTER])
@on_a_loop
async def test_what_neither_takes_is_settled_when_the_books_are_back(goes: str) -> None:
    worker = rich()
    worker.journal.is_broken = True
    outcome = outcome_of(await worker.held(order_of("r", 100)), 30)
    worker.books.away = goes
    with pytest.raises(StoreUnavailableError), capture_logs():
        await worker.funds.close(outcome)
    assert (worker.slices.held, worker.slices.used, len(worker.settlement)) == (0, 30, 1)
    worker.books.away = ""
    await worker.settlement.settle()
    assert (worker.books.settled, worker.books.spent[USER.id]) == ({"r": outcome}, 30)
    assert (worker.slices.used, worker.journal.of("acknowledge")) == (0, ["r"])
    assert worker.books.leased(USER.id) == worker.slices.free


@on_a_loop
async def test_what_the_books_refuse_is_set_aside() -> None:
    """Refused at once as from the queue; the worker then leaves its journal to the next start."""
    worker = rich()
    worker.journal.is_broken = True
    worker.books.poison = {"r"}
    await worker.funds.close(outcome_of(await worker.held(order_of("r", 10)), 4))
    assert [outcome.hold.request_id for outcome in worker.settlement.set_aside] == ["r"]
    assert (worker.journal.of("acknowledge"), len(worker.settlement)) == ([], 0)


@on_a_loop
async def test_a_request_that_came_to_nothing_costs_nothing() -> None:
    worker = rich()
    hold = await worker.held(order_of("r", 100))
    worker.funds.open("r", b"attempt")
    free = worker.slices.free
    worker.funds.release(hold)
    assert worker.totals == (free + 100, 0, 0)
    assert worker.journal.records == [("open", "r", b"attempt"), ("release", "r", b"")]


@on_a_loop
async def test_what_the_journal_does_not_take_is_told() -> None:
    worker = rich()
    worker.journal.is_full = True
    with pytest.raises(JournalUnavailableError):
        worker.funds.open("r", b"attempt")
