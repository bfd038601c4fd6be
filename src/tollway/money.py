"""Money is whole micro-dollars (1 USD = 1,000,000 µ$) in an `int`; prices are exact decimals; floats never appear."""

from decimal import Context, Decimal, localcontext
from math import floor
from typing import Final, NewType

Microdollars = NewType("Microdollars", int)

MICRODOLLARS_PER_USD: Final = 1_000_000
MICRODOLLARS_MAX: Final = 2**63 - 1

# Wide enough that no product of a 64-bit token count and a published price is ever rounded before `round_usd`.
EXACT: Final = Context(prec=200)
_HALF: Final = Decimal("0.5")
_MILLION: Final = Decimal(MICRODOLLARS_PER_USD)


class MoneyOverflowError(ArithmeticError):
    """An amount does not fit into 64 bits; the operation is refused rather than wrapped."""


def round_usd(amount_usd: Decimal) -> Microdollars:
    """Whole micro-dollars of an exact amount in USD: floor(x · 10⁶ + ½), so a half goes up, for negatives too.

    Raises MoneyOverflowError beyond 64 bits and ValueError for NaN or infinity.
    Source: response-path §14, guarantees M9.
    """
    if not amount_usd.is_finite():
        raise ValueError("an amount of money must be a finite number")
    if amount_usd.adjusted() > 30:
        raise MoneyOverflowError("the amount does not fit into 64 bits")
    return checked(floor(EXACT.fma(amount_usd, _MILLION, _HALF)))


def checked(micro: int) -> Microdollars:
    """`micro` as Microdollars; raises MoneyOverflowError when it does not fit into 64 bits."""
    if not -MICRODOLLARS_MAX <= micro <= MICRODOLLARS_MAX:
        raise MoneyOverflowError("the amount does not fit into 64 bits")
    return Microdollars(micro)


def format_usd(amount: int) -> str:
    """`1234567` → `$1.234567`: every digit, because a rounded amount cannot be checked."""
    sign = "-" if amount < 0 else ""
    whole, part = divmod(abs(amount), MICRODOLLARS_PER_USD)
    return f"{sign}${whole:,}.{part:06d}"


def parse_usd(text: str) -> Microdollars:
    """`"12.50"` or `"$12.50"` → 12_500_000. Raises ValueError unless it is a whole number of micro-dollars."""
    try:
        amount = Decimal(text.strip().removeprefix("$").replace("_", ""))
    except ArithmeticError:
        raise ValueError(f"{text!r} is not an amount in USD") from None
    micro = round_usd(amount)
    with localcontext(EXACT):
        if amount * MICRODOLLARS_PER_USD != micro:
            raise ValueError(f"{text!r} is finer than a micro-dollar (0.000001 USD)")
    return micro
