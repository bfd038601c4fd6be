"""What is stored of a request besides who pays what: where it came from, what it asked for. Decides nothing.

It goes into the journal before the request goes upstream, so that a replay stores it too; text of prompts does not,
because nothing ends the time of what lies in a journal. Texts are storable: no NUL, no half of a surrogate pair.
Source: response-path 6.1, 6.9, 6.12, request-path 13; guarantees P1.
"""

from functools import lru_cache
from hashlib import sha256
from typing import Final

from msgspec import Struct
from msgspec.msgpack import Decoder, Encoder
from msgspec.structs import replace

ORIGINS_KEPT: Final = 10_000
_ID_HEX_DIGITS: Final = 32


class Origin(Struct, frozen=True, array_like=True):
    """What many requests of a client have in common: where they come from and how they ask. `address_hash` is keyed,
    `tls_fingerprint` is JA4, `auto_model` the id that another model was chosen for."""

    feature: str | None = None
    mode: str | None = None
    editor_name: str | None = None
    machine_id: str | None = None
    user_agent: str | None = None
    address_hash: str | None = None
    country: str | None = None
    city: str | None = None
    latitude: float | None = None
    longitude: float | None = None
    tls_fingerprint: str | None = None
    project_id: str | None = None
    auto_model: str | None = None
    has_tools: bool = False
    has_middle_out: bool = False


class Particulars(Struct, frozen=True, array_like=True):
    """`origin` is one encoded, b"" where nothing is known of it. `system_prompt_length`: in UTF-16 units, -1 where it
    could not be told. Prefixes are None unless prompts may be stored. `hides_model`: what the upstream calls its model
    is not to be known. `rule`: which one decided who serves it (`routing/precedence.py`).
    """

    origin: bytes = b""
    session_id: str | None = None
    max_tokens: int | None = None
    system_prompt_length: int = -1
    system_prompt_prefix: str | None = None
    user_prompt_prefix: str | None = None
    hides_model: bool = False
    rule: str | None = None

    @property
    def journaled(self) -> "Particulars":
        """The same without text of prompts."""
        if self.user_prompt_prefix is None and self.system_prompt_prefix is None:
            return self
        return replace(self, system_prompt_prefix=None, user_prompt_prefix=None)


NO_PARTICULARS: Final = Particulars()
encode_origin: Final = Encoder().encode
decode_origin: Final = Decoder(Origin).decode


@lru_cache(maxsize=ORIGINS_KEPT)
def origin_id(encoded: bytes) -> str:
    """The same for the same origin, wherever it is stored from: 32 hex digits."""
    return sha256(encoded).hexdigest()[:_ID_HEX_DIGITS]


def storable(text: str | None) -> str | None:
    """`text` as any database takes it."""
    if text is None or (text.isascii() and "\0" not in text):
        return text
    return text.replace("\0", "").encode("utf-8", "ignore").decode()


def stored_model(named: str | None, model_id: str, particulars: Particulars) -> str:
    """What the answer calls its model; ours where it names none, or where that is not to be known (6.6)."""
    return model_id if named is None or particulars.hides_model else named
