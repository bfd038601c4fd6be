"""What a worker believes of its slices, beside what the books say: case by case, and in any order of everything."""

from collections import Counter
from random import Random

import pytest
from msgspec.structs import replace

from tollway.billing.ledger import Hold, HoldOrder, Outcome
from tollway.billing.slices import Slices
from tollway.billing.store import Ask, Leased
from tollway.money import MICRODOLLARS_MAX, Microdollars
from unit.billing.outcomes import KEY, USER, hold_of, order_of, outcome_of

BOTH = (USER, KEY)
NOW = 100.0


def leased(held: tuple[int, ...], free: tuple[int, ...]) -> Leased:
    return Leased(tuple(map(Microdollars, held)), tuple(map(Microdollars, free)))


def slices_with(**free: int) -> Slices:
    """Slices of USER and KEY with so much free."""
    slices = Slices()
    for ref in BOTH:
        if ref.kind.value in free:
            slices.deal(order_of("first", 0, [ref]), leased((0,), (free[ref.kind.value],)), NOW)
    return slices


def totals(slices: Slices) -> tuple[int, int, int]:
    return slices.free, slices.held, slices.used


# holds


def test_a_hold_is_cut_from_every_budget() -> None:
    slices = slices_with(user=100, key=50)
    hold = slices.cut(order_of("r", 50, BOTH), NOW)
    assert hold == hold_of("r", 50, budgets=BOTH)
    assert totals(slices) == (50, 100, 0)


@pytest.mark.parametrize("free", [{}, {"user": 100}, {"key": 100}, {"user": 100, "key": 49}, {"user": 49, "key": 100}])
def test_or_from_none(free: dict[str, int]) -> None:
    slices = slices_with(**free)
    assert slices.cut(order_of("r", 50, BOTH), NOW) is None
    assert totals(slices) == (sum(free.values()), 0, 0)


def test_under_another_limit_it_must_be_divided_anew() -> None:
    slices = slices_with(key=100)
    raised = replace(KEY, limit=Microdollars(2_000))
    assert slices.cut(order_of("r", 1, [raised]), NOW) is None
    slices.restore(slices.stake(order_of("r", 1, [raised])))  # the books refused
    assert slices.cut(order_of("r", 1, [raised]), NOW) is None
    assert slices.cut(order_of("r", 1, [KEY]), NOW)
    assert slices.stake(order_of("r", 1, [raised])) == (Ask(raised, Microdollars(1), Microdollars(99)),)
    slices.deal(order_of("r", 1, [raised]), leased((1,), (9,)), NOW)
    assert slices.cut(order_of("s", 1, [KEY]), NOW) is None
    assert slices.cut(order_of("s", 1, [raised]), NOW)


# stakes


def test_what_is_staked_is_nobodys() -> None:
    slices = slices_with(user=30)
    order = order_of("r", 50, BOTH)
    asks = slices.stake(order)
    assert asks == (Ask(USER, Microdollars(50), Microdollars(30)), Ask(KEY, Microdollars(50), Microdollars(0)))
    assert slices.cut(order_of("s", 1), NOW) is None
    assert slices.take_free([USER.id, KEY.id]) == {}
    slices.restore(asks)
    assert totals(slices) == (30, 0, 0)


def test_the_books_divide_it() -> None:
    slices = slices_with(user=30)
    order = order_of("r", 50, BOTH)
    slices.stake(order)
    hold = slices.deal(order, leased((50, 20), (40, 0)), NOW)
    assert (hold, hold.is_partly_covered) == (hold_of("r", 50, 50, 20, budgets=BOTH), True)
    assert totals(slices) == (40, 70, 0)


def test_what_ended_meanwhile_is_free_beside_it() -> None:
    slices = slices_with(user=50)
    before = slices.cut(order_of("a", 50), NOW)
    assert before
    order = order_of("r", 50)
    slices.stake(order)
    slices.end(before, 10)
    slices.deal(order, leased((50,), (5,)), NOW)
    assert totals(slices) == (45, 50, 10)


# ends


@pytest.mark.parametrize(
    ("charge", "after"), [(0, (100, 0, 0)), (20, (80, 0, 20)), (50, (50, 0, 50)), (70, (50, 0, 50))]
)
def test_what_a_request_did_not_use_is_free_again(charge: int, after: tuple[int, int, int]) -> None:
    slices = slices_with(user=100)
    hold = slices.cut(order_of("r", 50), NOW)
    assert hold
    slices.end(hold, charge)
    assert totals(slices) == after
    slices.settled([outcome_of(hold, charge)])
    assert totals(slices) == (after[0], 0, 0)


def test_of_a_partly_covered_hold_each_budget_loses_what_it_had() -> None:
    slices = slices_with()
    order = order_of("r", 50, BOTH)
    slices.stake(order)
    hold = slices.deal(order, leased((50, 20), (0, 0)), NOW)
    slices.end(hold, 30)
    assert totals(slices) == (20, 0, 50)
    slices.settled([outcome_of(hold, 30)])
    assert totals(slices) == (20, 0, 0)


def test_a_free_model_holds_nothing_and_ends_nothing() -> None:
    slices = slices_with()
    hold = hold_of("r", 0)
    slices.end(hold, 0)
    slices.settled([outcome_of(hold, 0, absorbed=9)])
    assert (totals(slices), len(slices)) == ((0, 0, 0), 0)


# giving back


def test_what_nobody_uses_is_found_and_then_forgotten() -> None:
    slices = slices_with(user=30, key=10)
    assert slices.idle(NOW, ()) == []
    assert slices.idle(NOW + 1, ()) == [USER.id, KEY.id]
    assert slices.take_free([USER.id, "user:unknown"]) == {USER.id: 30}
    assert slices.idle(NOW + 1, ()) == [KEY.id]
    assert len(slices) == 1


def test_using_it_keeps_it() -> None:
    slices = slices_with(user=30)
    assert slices.cut(order_of("r", 1), NOW + 9)
    assert slices.idle(NOW + 9, ()) == []


def test_what_is_staked_is_not_forgotten() -> None:
    """The answer of the books may take long, and then be no."""
    slices = slices_with(user=30)
    asks = slices.stake(order_of("r", 50))
    assert slices.idle(NOW + 1, {USER.id}) == []
    slices.restore(asks)
    assert totals(slices) == (30, 0, 0)


def test_what_cost_nothing_may_be_settled_after_its_slice_was_forgotten() -> None:
    slices = slices_with(user=30)
    hold = slices.cut(order_of("r", 30), NOW)
    assert hold
    slices.end(hold, 0)
    slices.take_free([USER.id])
    slices.idle(NOW + 1, ())
    assert len(slices) == 0
    slices.settled([outcome_of(hold, 0)])
    assert totals(slices) == (0, 0, 0)


@pytest.mark.parametrize("state", ["held", "used"])
def test_a_slice_in_use_is_not_forgotten(state: str) -> None:
    slices = slices_with(user=30)
    hold = slices.cut(order_of("r", 30), NOW)
    assert hold
    if state == "used":
        slices.end(hold, 30)
    assert slices.idle(NOW + 1, ()) == []
    assert len(slices) == 1


# doubt


def test_a_doubtful_slice_goes_back_whole_once_it_is_quiet() -> None:
    slices = slices_with(user=30)
    hold = slices.cut(order_of("r", 10), NOW)
    assert hold
    slices.stake(order_of("s", 50))
    slices.doubt([USER.id])
    assert slices.take_doubtful(()) == {}
    slices.end(hold, 5)
    assert slices.take_doubtful(()) == {}  # the books would take what they do not have yet
    slices.settled([outcome_of(hold, 5)])
    assert slices.take_doubtful({USER.id}) == {}  # it is being asked about
    assert slices.free == 5
    assert slices.take_doubtful(()) == {USER.id: MICRODOLLARS_MAX}
    assert (slices.free, slices.take_doubtful(())) == (0, {})


def test_of_a_budget_never_seen_an_answer_may_have_been_lost_too() -> None:
    slices = slices_with()
    slices.stake(order_of("r", 50))
    slices.doubt([USER.id])
    assert slices.idle(NOW, ()) == []
    assert len(slices) == 1  # not forgotten
    assert slices.take_doubtful(()) == {USER.id: MICRODOLLARS_MAX}


# any order of everything

REFS = [USER, KEY, replace(KEY, limit=Microdollars(2_000))]
BUDGETS = {ref.id for ref in REFS}


class Walk:
    """A worker's slices beside plain sums and what the books have leased to it, at random.

    At most one question about a budget is under way, as funds see to it; everything else happens in between.
    """

    def __init__(self, seed: int) -> None:
        self.random = Random(seed)
        self.slices = Slices()
        self.now = 1.0
        self.free: Counter[str] = Counter()
        self.held: Counter[str] = Counter()
        self.used: Counter[str] = Counter()
        self.leased: Counter[str] = Counter()  # as the books have it
        self.doubtful: set[str] = set()
        self.limits: dict[str, int | None] = {}
        self.asked: list[tuple[HoldOrder, tuple[Ask, ...]]] = []
        self.open: list[Hold] = []
        self.ended: list[Outcome] = []
        self.happened: Counter[str] = Counter()

    @property
    def asking(self) -> set[str]:
        return {ask.budget.id for _, asks in self.asked for ask in asks}

    def order(self) -> HoldOrder:
        kinds = self.random.choice([(USER,), (self.random.choice(REFS[1:]),), (USER, self.random.choice(REFS[1:]))])
        return order_of("r", self.random.randint(1, 100), kinds)

    def took(self, hold: Hold) -> None:
        self.open.append(hold)
        for ref, amount in zip(hold.budgets, hold.amounts, strict=True):
            self.held[ref.id] += amount

    def cut(self) -> str:
        order = self.order()
        need = order.worst_case
        is_covered = all(
            self.free[ref.id] >= need and self.limits.get(ref.id, -1) == ref.limit for ref in order.budgets
        )
        hold = self.slices.cut(order, self.now)
        assert (hold is not None) == is_covered
        if hold is None:
            return "not covered"
        assert hold.amounts == (need,) * len(order.budgets)
        self.free.subtract({ref.id: need for ref in order.budgets})
        self.took(hold)
        return "cut"

    def stake(self) -> str:
        order = self.order()
        if self.asking & {ref.id for ref in order.budgets}:
            return ""
        asks = self.slices.stake(order)
        assert [(ask.budget, ask.need, ask.free) for ask in asks] == [
            (ref, order.worst_case, self.free[ref.id]) for ref in order.budgets
        ]
        for ref in order.budgets:
            self.free[ref.id] = 0
        self.asked.append((order, asks))
        return "staked"

    def answer(self) -> str:
        if not self.asked:
            return ""
        order, asks = self.asked.pop(self.random.randrange(len(self.asked)))
        answer = self.random.choice(["leased", "leased", "refused", "lost before", "lost after"])
        held = tuple(self.random.randint(1, ask.need) for ask in asks)
        free = tuple(self.random.randint(0, 200) for _ in asks)
        if answer in ("leased", "lost after"):
            for ask, more, kept in zip(asks, held, free, strict=True):
                self.leased[ask.budget.id] += more + kept - ask.free
        if answer == "leased":
            hold = self.slices.deal(order, leased(held, free), self.now)
            assert hold.amounts == held
            self.took(hold)
            for ask, kept in zip(asks, free, strict=True):
                self.free[ask.budget.id] += kept
                self.limits[ask.budget.id] = ask.budget.limit
        elif answer == "refused":
            self.slices.restore(asks)
            for ask in asks:
                self.free[ask.budget.id] += ask.free
        else:
            self.slices.doubt([ask.budget.id for ask in asks])
            self.doubtful |= {ask.budget.id for ask in asks}
        return answer

    def end(self) -> str:
        if not self.open:
            return ""
        hold = self.open.pop(self.random.randrange(len(self.open)))
        charge = self.random.choice([0, self.random.randint(0, 150)])
        self.slices.end(hold, charge)
        self.ended.append(outcome_of(hold, charge))
        for ref, amount in zip(hold.budgets, hold.amounts, strict=True):
            used = min(charge, amount)
            self.held[ref.id] -= amount
            self.free[ref.id] += amount - used
            self.used[ref.id] += used
        return "ended"

    def settle(self) -> str:
        count = self.random.randint(0, 5)
        batch, self.ended = self.ended[:count], self.ended[count:]
        for outcome in batch:
            for ref, amount in zip(outcome.hold.budgets, outcome.hold.amounts, strict=True):
                self.used[ref.id] -= min(outcome.charge, amount)
                self.leased[ref.id] -= min(outcome.charge, amount)
        self.slices.settled(batch)
        return "settled" if batch else ""

    def give_back(self) -> str:
        idle = self.slices.idle(self.now - self.random.choice([0, 5]), self.asking)
        assert all(self.free[id_] for id_ in idle)
        taken = self.slices.take_free(idle)
        assert taken == {id_: self.free[id_] for id_ in idle}
        self.leased.subtract(taken)
        self.free.subtract(taken)
        return "gave back" if taken else ""

    def give_back_doubtful(self) -> str:
        quiet = {id_ for id_ in self.doubtful - self.asking if not (self.held[id_] or self.used[id_])}
        assert self.slices.take_doubtful(self.asking) == dict.fromkeys(quiet, MICRODOLLARS_MAX)
        self.doubtful -= quiet
        for id_ in quiet:
            self.leased[id_] = self.free[id_] = 0
        return "gave back whole" if quiet else ""

    def wait(self) -> str:
        self.now += self.random.randint(1, 10)
        return "" if len(self.slices) else "forgot all"

    def step(self) -> None:
        steps = [self.cut, self.stake, self.answer, self.end, self.settle, self.give_back, self.wait]
        self.happened[self.random.choice([*steps, self.end, self.settle, self.give_back_doubtful])()] += 1
        assert totals(self.slices) == (self.free.total(), self.held.total(), self.used.total())
        staked = {ask.budget.id: ask.free for _, asks in self.asked for ask in asks}
        for id_ in BUDGETS:
            parts = (self.free[id_], self.held[id_], self.used[id_], staked.get(id_, 0))
            assert min(parts) >= 0
            if id_ in self.doubtful:
                assert sum(parts) <= self.leased[id_], "more is in use than was leased"
            else:
                assert sum(parts) == self.leased[id_]


@pytest.mark.parametrize("seed", range(20))
def test_any_order_of_everything_adds_up(seed: int) -> None:
    walk = Walk(seed)
    for _ in range(2_000):
        walk.step()
    assert len(walk.happened) == 13
    assert min(walk.happened.values()) > 5, "the walk does not go everywhere"
