"""The books as a few dictionaries: what FundsStore must do, said as plainly as possible."""

from dataclasses import dataclass, field
from datetime import datetime

from tollway.billing.ledger import BudgetKind, BudgetRef, HoldOrder, HoldPolicy


@dataclass
class Model:
    credited: dict[str, int] = field(default_factory=dict)
    spent: dict[str, int] = field(default_factory=dict)
    holds: dict[str, tuple[int, HoldOrder]] = field(default_factory=dict)
    charged: dict[str, int] = field(default_factory=dict)

    def top_up(self, account: BudgetRef, amount: int) -> None:
        self.credited[account.id] = self.credited.get(account.id, 0) + amount

    def left(self, ref: BudgetRef) -> int:
        held = sum(amount for amount, order in self.holds.values() if ref.id in {other.id for other in order.budgets})
        is_balance = ref.kind in (BudgetKind.USER, BudgetKind.ORGANIZATION)
        limit = self.credited.get(ref.id, 0) if is_balance else ref.limit
        return limit - self.spent.get(ref.id, 0) - held

    def hold(self, order: HoldOrder) -> int | None:
        """The amount held, or None when refused."""
        if order.request_id in self.holds:
            return self.holds[order.request_id][0]
        least = min(self.left(ref) for ref in order.budgets)
        refused = least <= 0 or (order.policy is HoldPolicy.STRICT and least < order.worst_case)
        if order.worst_case and refused:
            return None
        amount = min(order.worst_case, least) if order.worst_case else 0
        self.holds[order.request_id] = (amount, order)
        return amount

    def close(self, order: HoldOrder, charge: int) -> tuple[int, bool]:
        """What was charged in the end, and whether that had happened before."""
        if order.request_id in self.charged:
            return self.charged[order.request_id], True
        self.holds.pop(order.request_id, None)
        self.charged[order.request_id] = charge
        for ref in order.budgets:
            self.spent[ref.id] = self.spent.get(ref.id, 0) + charge
        return charge, False

    def release(self, order: HoldOrder) -> None:
        self.holds.pop(order.request_id, None)

    def expire(self, now: datetime) -> int:
        overdue = [id_ for id_, (_, order) in self.holds.items() if order.expires_at <= now]
        for id_ in overdue:
            del self.holds[id_]
        return len(overdue)
