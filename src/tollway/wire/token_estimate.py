"""How many tokens a request asks for, at a guess, as clients of the historic gateway are told it. Pure.

Source: response-path 3.2, rule 2.
"""

from typing import Final

from msgspec import MsgspecError, Struct
from msgspec.json import Decoder

_UNITS_PER_TOKEN: Final = 4


class _Asked(Struct):
    max_completion_tokens: int | None = None
    max_tokens: int | None = None


_decode: Final = Decoder(_Asked).decode


def tokens_asked(body: bytes) -> int:
    """A quarter of the body's length in UTF-16 units, plus the completion tokens asked for; halves are rounded up.

    `body` is compact JSON with nothing escaped that need not be, as it is sent upstream. An explicit 0 counts.
    """
    units = len(body) if body.isascii() else len(body.decode().encode("utf-16-le")) // 2
    return (units + _UNITS_PER_TOKEN * _completion_tokens(body) + _UNITS_PER_TOKEN // 2) // _UNITS_PER_TOKEN


def _completion_tokens(body: bytes) -> int:
    try:
        asked = _decode(body)
    except (MsgspecError, ValueError):
        return 0
    most = asked.max_tokens if asked.max_completion_tokens is None else asked.max_completion_tokens
    return most or 0
