"""Who asks for the login of a device: what a person is shown before they say yes. Pure: fresh bytes are an argument.

It is stored sealed under a key that is made of the code, and of the code only a hash is stored: no address can be read
out of the database (guarantees P2), and a rotation of master keys need not know of it.
Source: catalog-and-clients B.12.
"""

from hmac import digest
from typing import Final

from msgspec import DecodeError, Struct
from msgspec.json import decode, encode

from tollway.catalog.client_listing import safe_text
from tollway.identity.sealing import FreshBytes, Place, SealError, SealingKeys, seal, unseal

AGENT_CHARS_MAX: Final = 200
_KEY_ID: Final = "code"


class Requester(Struct, frozen=True):
    """`address`: canonical, "" where nobody can know it. `user_agent`: what the program calls itself; None: nothing."""

    address: str = ""
    user_agent: str | None = None


def requester_of(address: str, user_agent: str | None) -> Requester:
    """`user_agent`: as it was sent. It is cut first, and characters that could change how a line reads are left out."""
    return Requester(address, safe_text(user_agent[:AGENT_CHARS_MAX]) or None if user_agent else None)


def seal_requester(requester: Requester, code: str, pepper: bytes, fresh: FreshBytes) -> str:
    """What is stored; `fresh` gives random bytes."""
    text = encode(requester).decode()
    return encode(seal(text, _place(code), _keys(code, pepper), fresh)).decode()


def unseal_requester(stored: str | None, code: str, pepper: bytes) -> Requester:
    """One of whom nothing is known where nothing was stored, or what was does not open."""
    try:
        return decode(unseal(decode(stored or "null"), _place(code), _keys(code, pepper)), type=Requester)
    except (SealError, DecodeError):
        return Requester()


def _keys(code: str, pepper: bytes) -> SealingKeys:
    return SealingKeys({_KEY_ID: digest(pepper, f"device requester:{code}".encode(), "sha256")}, _KEY_ID)


def _place(code: str) -> Place:
    return Place("device_logins", "requester", code, "", "", "")
