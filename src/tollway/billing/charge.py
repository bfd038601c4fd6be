"""Who pays what for one answer: the decision at its end, made from facts alone.

Source: guarantees M3, M5–M7; response-path 6.8, §14; the amount: where the provider reports its cost, that cost, else
tokens times the price the hold was cut at.
"""

from typing import Final

from msgspec import Struct

from tollway.billing.cost import is_plausible, list_cost, reported_cost
from tollway.billing.estimate import estimate_usage
from tollway.billing.ledger import Basis
from tollway.catalog.model import Price
from tollway.money import Microdollars
from tollway.wire.usage import NO_USAGE, Usage

NOTHING: Final = Microdollars(0)

# Reading a member of an Enum costs as much as a call (Python 3.11), so each is read once.
_REPORTED, _ESTIMATED, _INTERRUPTED = Basis.REPORTED, Basis.ESTIMATED, Basis.INTERRUPTED
_ABSORBED, _FREE, _BYOK = Basis.ABSORBED, Basis.FREE, Basis.BYOK


class Ending(Struct, frozen=True):
    """What is known about an answer when it has ended, for whatever reason.

    From the hold: `price`, `worst_case` and the bounds it was reckoned from; `completion_tokens_max` is for all choices
    together. From the answer: `status`, `usage`, `finish_reason`, `has_error` (it carried an error), `interrupted` (it
    broke, timed out, or the client went away), `has_output`, `deltas` (of a stream), `text_bytes` (of a body).
    `is_free`: the model costs callers nothing; `is_byok`: the upstream bills the caller's own key; `reports_cost`: the
    provider's answers carry what it charges.
    """

    price: Price
    worst_case: Microdollars
    prompt_tokens_max: int
    completion_tokens_max: int
    prompt_text_bytes: int
    status: int
    usage: Usage | None
    has_output: bool
    finish_reason: str | None
    has_error: bool = False
    interrupted: bool = False
    deltas: int = 0
    text_bytes: int = 0
    images: int = 0
    reports_cost: bool = False
    is_free: bool = False
    is_byok: bool = False

    @property
    def is_broken(self) -> bool:
        return self.interrupted or self.has_error or self.finish_reason == "error"

    @property
    def is_failed(self) -> bool:
        """Costs the caller nothing: a refusal, or no output and either an error or no finish reason (M7)."""
        return self.status >= 400 or (
            not self.has_output and (self.finish_reason is None or self.has_error or self.finish_reason == "error")
        )


class Charge(Struct, frozen=True):
    """The decision. The caller pays `charge`, the operator bears `absorbed`; `market_cost` is the worth of the answer
    before anything was waived; `list_cost` the price of `usage`, `reported_cost` the upstream's own figure if any."""

    basis: Basis
    charge: Microdollars
    absorbed: Microdollars
    market_cost: Microdollars
    list_cost: Microdollars
    reported_cost: Microdollars | None
    usage: Usage


def decide_charge(ending: Ending) -> Charge:
    """The charge for an answer. Never raises for what an upstream reports.

    - An upstream's own-key request (`is_byok`) costs nobody here anything; `market_cost` says what it was worth.
    - A free model or a failed answer (M7) costs the caller nothing; what the upstream bills is absorbed.
    - Everything else is charged what it is worth: by report, or by estimate where nothing usable was reported.
    """
    reported = None if ending.usage is None else reported_cost(ending.usage)
    worth, basis, usage, listed = _worth(ending, reported)
    if ending.is_byok:
        return Charge(_BYOK, NOTHING, NOTHING, worth, listed, reported, usage)
    if ending.is_free:
        return Charge(_FREE, NOTHING, worth, worth, listed, reported, usage)
    if ending.is_failed:
        return Charge(_ABSORBED, NOTHING, worth, worth, listed, reported, usage)
    return Charge(basis, worth, NOTHING, worth, listed, reported, usage)


_Worth = tuple[Microdollars, Basis, Usage, Microdollars]  # and how that is known, the tokens, and their list price


def _worth(ending: Ending, reported: Microdollars | None) -> _Worth:
    """What the answer is worth, whoever pays."""
    usage = ending.usage
    if (
        usage is None
        or not is_plausible(usage.prompt_tokens, ending.prompt_tokens_max)
        or not is_plausible(usage.completion_tokens, ending.completion_tokens_max)
    ):
        return _estimated(ending)
    # A stream that broke after a running usage, before it finished, may have used more than that says.
    basis = _INTERRUPTED if ending.finish_reason is None and ending.is_broken else _REPORTED
    named = reported if ending.reports_cost else None
    if named is not None and _is_plausible_amount(ending, named):
        return named, basis, usage, _list_cost(ending, usage)
    if not usage.is_counted:
        return _estimated(ending)
    amount = _list_cost(ending, usage)
    if not _is_plausible_amount(ending, amount):
        return _estimated(ending)
    return amount, basis if named is None else _ESTIMATED, usage, amount


def _estimated(ending: Ending) -> _Worth:
    """From what passed. A failed answer without a usable report is taken to have cost the upstream nothing."""
    if ending.is_failed:
        return NOTHING, _ESTIMATED, NO_USAGE, NOTHING
    usage = estimate_usage(ending.prompt_text_bytes, max(ending.deltas, int(ending.has_output)), ending.text_bytes)
    amount = _list_cost(ending, usage)
    return amount, _INTERRUPTED if ending.is_broken else _ESTIMATED, usage, amount


def _list_cost(ending: Ending, usage: Usage) -> Microdollars:
    """Tokens times price; zero tokens are worth zero, whatever a request or an image costs (M3)."""
    if not (usage.prompt_tokens or usage.completion_tokens):
        return NOTHING
    return list_cost(usage, ending.price, ending.images)


def _is_plausible_amount(ending: Ending, amount: Microdollars) -> bool:
    """Where the caller pays nothing there was no hold to compare with, and nobody to protect."""
    return is_plausible(amount, ending.worst_case) or ending.is_free or ending.is_byok
