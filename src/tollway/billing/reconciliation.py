"""From the upstream's own record of an answer to the correction of what was estimated; what is to be looked up. Pure.

Source: guarantees M3, M8.
"""

from typing import Final

from tollway.billing.cost import is_plausible, list_cost, reported_cost
from tollway.billing.ledger import Basis, Correction, Outcome
from tollway.billing.store import UncertainRow
from tollway.catalog.model import Price
from tollway.money import Microdollars
from tollway.wire.usage import Usage

# Reading or hashing a member of an Enum costs as much as a call (Python 3.11), so each is read once and compared.
_REPORTED, _ABSORBED = Basis.REPORTED, Basis.ABSORBED
_UNCERTAIN: Final = (Basis.ESTIMATED, Basis.INTERRUPTED)


def is_to_be_looked_up(outcome: Outcome) -> bool:
    """Nobody has said what the upstream bills for it, and there is an id to ask by."""
    basis = outcome.basis
    if basis is _REPORTED or outcome.record.message_id is None:
        return False
    is_absorbed_unseen = basis is _ABSORBED and not outcome.absorbed and outcome.reported_cost is None
    return basis in _UNCERTAIN or is_absorbed_unseen


def correction_of(row: UncertainRow, usage: Usage, price: Price, reports_cost: bool) -> Correction | None:
    """By how much the request's entries are to be corrected; None when the record says nothing believable.

    The worth is decided as at the end of an answer: what the upstream says it cost where the provider reports cost,
    else tokens times the price of the hold. The caller's charge becomes that; what was absorbed stays absorbed.
    """
    worth = _worth(row, usage, price, reports_cost)
    if worth is None:
        return None
    if row.basis is Basis.ABSORBED:
        return Correction(charge=0, absorbed=worth - row.absorbed)
    return Correction(charge=worth - row.charge, absorbed=0)


def _worth(row: UncertainRow, usage: Usage, price: Price, reports_cost: bool) -> Microdollars | None:
    if not _has_plausible_tokens(row, usage):
        return None
    named = reported_cost(usage) if reports_cost else None
    if named is None and usage.is_counted:
        named = list_cost(usage, price) if usage.prompt_tokens or usage.completion_tokens else Microdollars(0)
    if named is None or not is_plausible(named, row.worst_case):
        return None
    return named


def _has_plausible_tokens(row: UncertainRow, usage: Usage) -> bool:
    return is_plausible(usage.prompt_tokens, row.prompt_tokens_max) and is_plausible(
        usage.completion_tokens, row.completion_tokens_max
    )
