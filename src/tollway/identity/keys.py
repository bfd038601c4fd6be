"""API keys: `tw_live_` + 30 random base62 characters + 6 base62 characters of checksum (guarantees K4).

The checksum is the CRC-32 (zlib's) of everything before it, written in base62 (0-9, A-Z, a-z), most significant digit
first and padded with zeros to six. It lets leak scanners recognise a key and refuses typos without a look-up; it keeps
nothing secret. Stored is only the HMAC-SHA-256 of the whole key under the server's pepper.
"""

import hmac
from hashlib import sha256
from typing import Final
from zlib import crc32

from tollway.ids import BASE62

PREFIX: Final = "tw_live_"
RANDOM_CHARS: Final = 30
CHECKSUM_CHARS: Final = 6
KEY_CHARS: Final = len(PREFIX) + RANDOM_CHARS + CHECKSUM_CHARS
_ALPHABET: Final = frozenset(BASE62)


def make_key(random_text: str) -> str:
    """The key around 30 random base62 characters. Raises ValueError for anything else."""
    if len(random_text) != RANDOM_CHARS or not _ALPHABET.issuperset(random_text):
        raise ValueError("a key is made from 30 base62 characters")
    return PREFIX + random_text + _checksum(PREFIX + random_text)


def is_well_formed(key: str) -> bool:
    """Whether `key` has our form and its checksum is right; says nothing about whether it exists."""
    if len(key) != KEY_CHARS or not key.startswith(PREFIX):
        return False
    if not _ALPHABET.issuperset(key[len(PREFIX) :]):
        return False
    return key[-CHECKSUM_CHARS:] == _checksum(key[:-CHECKSUM_CHARS])


def hash_key(key: str, pepper: bytes) -> str:
    """HMAC-SHA-256 of the whole key, as 64 hex digits. Raises ValueError for an empty pepper."""
    if not pepper:
        raise ValueError("the key pepper is empty")
    return hmac.new(pepper, key.encode(), sha256).hexdigest()


def last_four(key: str) -> str:
    """What may be shown of a key later on."""
    return key[-4:]


def _checksum(text: str) -> str:
    rest, digits = crc32(text.encode()), ""
    for _ in range(CHECKSUM_CHARS):
        rest, digit = divmod(rest, len(BASE62))
        digits = BASE62[digit] + digits
    return digits
