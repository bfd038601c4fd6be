"""Callers without a usable credential: known only by their address, and by that only as a keyed hash.

Source: request-path 7.3 and 7.4, guarantees P2.
"""

import hmac
from hashlib import sha256
from typing import Final

from tollway.identity.caller import Caller

PREFIX: Final = "anon:"
ID_HEX_DIGITS: Final = 32


def anonymous_id(key: bytes, address: str) -> str:
    """`address`: canonical and whole, an IPv6 one not cut to its network. Raises ValueError for an empty key."""
    if not key:
        raise ValueError("the key of anonymous ids is empty")
    return PREFIX + hmac.new(key, address.encode(), sha256).hexdigest()[:ID_HEX_DIGITS]


def is_anonymous_id(user_id: str) -> bool:
    """Whether it looks like one of these; no account may have such an id (response-path 12.6)."""
    return user_id.startswith(PREFIX)


def anonymous_caller(key: bytes, address: str) -> Caller:
    """Somebody at that address. Belongs to no organization and has no money, whatever the headers say."""
    return Caller(anonymous_id(key, address), email="", is_anonymous=True)
