"""Names that stand for addresses where free use is counted and stored: keyed hashes, never the address (guarantees P2).

A window needs the same name for as long as it is long, so its name does not change with the day; it is forgotten with
the window. What is stored for longer gets another name every day, so rows of two days cannot be put together. No query
needs both days' names, as the reference's would (request-path 5.4.1), because limits are counted in the windows.
"""

from datetime import date
from hmac import digest
from typing import Final

_NAME_BYTES: Final = 16


def window_name(secret: bytes, address: str) -> str:
    """32 hex digits. `secret`: the deployment's own, the same in every process that shares windows."""
    return _name(secret, "free use, windows", address)


def row_name(secret: bytes, address: str, day: date) -> str:
    """32 hex digits that are of use on this day only."""
    return _name(secret, f"free use, {day.isoformat()}", address)


def origin_name(secret: bytes, address: str) -> str:
    """32 hex digits: by this name, an address is known in what is stored of requests."""
    return _name(secret, "origin", address)


def login_name(secret: bytes, address: str) -> str:
    """32 hex digits: by this name, the log speaks of an address with too many failed logins."""
    return _name(secret, "failed logins", address)


def _name(secret: bytes, purpose: str, address: str) -> str:
    salt = digest(secret, purpose.encode(), "sha256")
    return digest(salt, address.encode(), "sha256")[:_NAME_BYTES].hex()
