"""The lines of an HTTP/1.1 head, read when they are beyond doubt: what every careful parser reads alike. Pure.

Most heads are like that, and reading them here costs a third of a parser that calls back for each line. Whatever is in
any way unusual is left to the parser: None. Never more lenient than that one; property tests hold the two together.
"""

import re
from typing import Final

_TOKEN: Final = re.compile(rb"[!#$%&'*+.^`|~0-9A-Za-z-]{1,64}")
_PLAIN: Final = bytes(byte for byte in range(256) if byte == 9 or (byte >= 32 and byte != 127))
_NAMES_MAX: Final = 1_000
_LENGTH_DIGITS_MAX: Final = 12
_names: Final[dict[bytes, bytes]] = {}  # as spelled → lower-cased; only names that are tokens


def plain_head(head: bytes) -> tuple[bytes, dict[bytes, bytes]] | None:
    """The first line and the fields of `head`, given with the blank line that ends it. Names are lower-cased, values
    trimmed. None unless every line ends with CR LF, no byte is a control character, every name is a token without
    underscores that occurs once, and nothing is folded."""
    lines = head[:-4].split(b"\r\n")
    if head.translate(None, _PLAIN) != b"\r\n" * (len(lines) + 1):
        return None
    fields: dict[bytes, bytes] = {}
    first = lines[0]
    del lines[0]
    for line in lines:
        spelled, colon, value = line.partition(b":")
        name = _names.get(spelled) or _learn(spelled)
        if name is None or not colon:
            return None
        fields[name] = value.strip(b" \t")
    return (first, fields) if len(fields) == len(lines) else None


def _learn(spelled: bytes) -> bytes | None:
    """The lower-cased name, None when it is no token. Strangers choose names, so only so many are remembered."""
    if _TOKEN.fullmatch(spelled) is None:
        return None
    name = spelled.lower()
    if len(_names) < _NAMES_MAX:
        _names[spelled] = name
    return name


def is_length(digits: bytes) -> bool:
    """A content-length as everybody reads it."""
    return digits.isdigit() and len(digits) <= _LENGTH_DIGITS_MAX
