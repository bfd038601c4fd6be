"""Reasoning details inside `encrypted_content`: the one member of a Responses item that clients give back unread.

A client of the Responses API knows reasoning by OpenAI's rules only. What another model's reasoning needs in the next
request (a signature, a format) travels through it in here. Whoever forges one can do no more than with a Chat
Completions request, where the details lie open.
"""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Sequence
from typing import Final

from msgspec import MsgspecError
from msgspec.json import Decoder, encode

from tollway.wire.dialects.details import ENCRYPTED, SUMMARY, TEXT, Detail

_MARK: Final = "tollway1."
_KINDS: Final = frozenset({TEXT, ENCRYPTED, SUMMARY})
_details: Final = Decoder(list[Detail])


def pack_details(details: Sequence[Detail]) -> str:
    return _MARK + urlsafe_b64encode(encode(details)).decode()


def unpack_details(text: str) -> list[Detail] | None:
    """What was packed; none of what is damaged. None: `text` is no pack of ours."""
    if not text.startswith(_MARK):
        return None
    try:
        details = _details.decode(urlsafe_b64decode(text.removeprefix(_MARK)))
    except (MsgspecError, ValueError, RecursionError):
        return []
    return [detail for detail in details if detail.kind in _KINDS]
