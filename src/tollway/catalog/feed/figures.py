"""Prices as sources write them: exact decimals in text, never binary floats (guarantees M9)."""

import re
from decimal import Decimal
from typing import Final

_DECIMAL: Final = re.compile(r"[0-9]{1,20}(?:\.[0-9]{1,40})?(?:[eE][+-]?[0-9]{1,2})?")
_VARIES: Final = re.compile(r"-1(?:\.0*)?")
_DIGITS_MAX: Final = 40  # behind the point
_USD_MAX: Final = Decimal(1_000_000)  # for one token or piece: more is a mistake


def usd(text: str) -> Decimal | None:
    """The price, exact; None: it varies ("-1"), so there is none. Raises ValueError for what is no price."""
    if _VARIES.fullmatch(text):
        return None
    if not _DECIMAL.fullmatch(text):
        raise ValueError("is not a decimal that is not negative")
    price = Decimal(text)
    if price > _USD_MAX or -int(price.as_tuple().exponent) > _DIGITS_MAX:
        raise ValueError("is out of all proportion")
    return price


def usd_if_given(text: str | None) -> Decimal | None:
    """The same; None as well where nothing is said."""
    return None if text is None else usd(text)
