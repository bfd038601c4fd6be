"""How a budget is divided between what a request holds, what its worker keeps for the next, and everybody else. Pure.

A worker leases more than one request needs, so that the next need not ask the database; never so much that others are
left without. Source: guarantees M2, docs/adr/0003.
"""

from typing import Final

from tollway.billing.ledger import HoldPolicy

SHARES_PER_WORKER: Final = 2


def divide(
    need: int, within_reach: int, sharers: int, policy: HoldPolicy, *, others_partly_covered: bool
) -> tuple[int, int] | None:
    """What a request holds in one budget and what its worker keeps free, out of `within_reach`: what nobody has leased
    plus what the worker's own slice has free. None refuses.

    All of the need where it is there, and of the rest one share; so the nearer a budget is to its end, the smaller the
    slices, down to the one exact hold. Where less is there than is needed: all of it when the policy allows that and
    no other request is partly covered (a budget's overdraft is then at most one request's excess), else nothing. A need
    of 0 (a free model) takes no money, and then even an empty budget will do.
    """
    if need == 0:
        return 0, max(within_reach, 0) // (SHARES_PER_WORKER * sharers)
    if within_reach >= need:
        share = within_reach // (SHARES_PER_WORKER * sharers)
        return need, max(0, share - need)
    if within_reach <= 0 or policy is HoldPolicy.STRICT or others_partly_covered:
        return None
    return within_reach, 0
