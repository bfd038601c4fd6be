"""What a worker has leased of each budget and no request holds: holds are cut from here in memory. Pure.

Per budget, what the books say is leased = free + held by open requests + used by ended ones that are not settled yet.
Where an answer of the books was lost it is at least that: the slice is doubtful, and given back whole once it is quiet.
"""

from collections.abc import Container, Iterable

from tollway.billing.ledger import Hold, HoldOrder, Outcome
from tollway.billing.store import Ask, Leased
from tollway.money import MICRODOLLARS_MAX, Microdollars


class _Slice:
    """Of one budget. `limit` is the one it was leased under: under another one it must be divided anew."""

    __slots__ = ("free", "held", "is_doubtful", "limit", "touched_at", "used")

    def __init__(self, limit: int | None) -> None:
        self.limit = limit
        self.free = 0
        self.held = 0
        self.used = 0
        self.touched_at = 0.0
        self.is_doubtful = False


class Slices:
    """The slices of one worker, in micro-dollars. Instants are monotonic seconds."""

    def __init__(self) -> None:
        self._slices: dict[str, _Slice] = {}

    def cut(self, order: HoldOrder, now: float) -> Hold | None:
        """The hold when every budget's slice covers it whole; else None, and nothing has changed."""
        need, found = order.worst_case, []
        for ref in order.budgets:
            slice_ = self._slices.get(ref.id)
            if slice_ is None or slice_.free < need or slice_.limit != ref.limit:
                return None
            found.append(slice_)
        for slice_ in found:
            slice_.free -= need
            slice_.held += need
            slice_.touched_at = now
        return Hold(order.request_id, need, order.budgets, (need,) * len(found), order.usage_day)

    def stake(self, order: HoldOrder) -> tuple[Ask, ...]:
        """All that is free in the order's budgets, put on the table: it is nobody's until `deal` or `restore`."""
        asks = []
        for ref in order.budgets:
            slice_ = self._slices.get(ref.id)
            free = 0
            if slice_:
                free, slice_.free = slice_.free, 0
            asks.append(Ask(ref, order.worst_case, Microdollars(free)))
        return tuple(asks)

    def deal(self, order: HoldOrder, leased: Leased, now: float) -> Hold:
        """The books have divided it."""
        for ref, held, free in zip(order.budgets, leased.held, leased.free, strict=True):
            slice_ = self._slices.get(ref.id)
            if slice_ is None:
                slice_ = self._slices[ref.id] = _Slice(ref.limit)
            slice_.limit = ref.limit
            slice_.free += free
            slice_.held += held
            slice_.touched_at = now
        return Hold(order.request_id, order.worst_case, order.budgets, leased.held, order.usage_day)

    def restore(self, asks: Iterable[Ask]) -> None:
        """The books have changed nothing: what was staked is free again."""
        for ask in asks:
            if ask.free:
                self._slices[ask.budget.id].free += ask.free

    def end(self, hold: Hold, charge: int) -> None:
        """A request ended: of each part of its hold the charge is used, and the rest is free for the next."""
        for ref, amount in zip(hold.budgets, hold.amounts, strict=True):
            if amount:
                slice_ = self._slices[ref.id]
                used = min(charge, amount)
                slice_.held -= amount
                slice_.free += amount - used
                slice_.used += used

    def settled(self, outcomes: Iterable[Outcome]) -> None:
        """These are in the books, and what they used is no longer leased."""
        for outcome in outcomes:
            for ref, amount in zip(outcome.hold.budgets, outcome.hold.amounts, strict=True):
                used = min(outcome.charge, amount)
                if used:  # a slice of which nothing was used may be forgotten by now
                    self._slices[ref.id].used -= used

    def take_free(self, budget_ids: Iterable[str]) -> dict[str, Microdollars]:
        """Everything free in these budgets, taken out to be given back."""
        taken = {}
        for id_ in budget_ids:
            slice_ = self._slices.get(id_)
            if slice_ and slice_.free:
                taken[id_] = Microdollars(slice_.free)
                slice_.free = 0
        return taken

    def idle(self, before: float, but_not: Container[str]) -> list[str]:
        """Budgets with something free that no request has used since `before`; emptied slices are forgotten, except
        those of `but_not`: what they had is staked, and may come back."""
        found = []
        for id_, slice_ in list(self._slices.items()):
            if slice_.touched_at >= before or id_ in but_not:
                continue
            if slice_.free:
                found.append(id_)
            elif not (slice_.held or slice_.used or slice_.is_doubtful):
                del self._slices[id_]
        return found

    def doubt(self, budget_ids: Iterable[str]) -> None:
        """Nobody knows whether the books have changed these: what was staked or given back counts as gone."""
        for id_ in budget_ids:
            slice_ = self._slices.get(id_)
            if slice_ is None:
                slice_ = self._slices[id_] = _Slice(None)
            slice_.is_doubtful = True

    def take_doubtful(self, but_not: Container[str]) -> dict[str, Microdollars]:
        """Doubtful slices in which nothing is held or used any more, to be given back whole, whatever they are."""
        found = {}
        for id_, slice_ in self._slices.items():
            if slice_.is_doubtful and not (slice_.held or slice_.used or id_ in but_not):
                slice_.free = 0
                slice_.is_doubtful = False
                found[id_] = Microdollars(MICRODOLLARS_MAX)
        return found

    @property
    def free(self) -> int:
        return sum(slice_.free for slice_ in self._slices.values())

    @property
    def held(self) -> int:
        return sum(slice_.held for slice_ in self._slices.values())

    @property
    def used(self) -> int:
        return sum(slice_.used for slice_ in self._slices.values())

    def __len__(self) -> int:
        return len(self._slices)
