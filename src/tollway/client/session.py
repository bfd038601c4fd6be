"""A conversation as it is kept between two commands: one JSON object per session.

Source: catalog-and-clients D.4.3.
"""

import re
from typing import Any, Final

from msgspec import DecodeError, Struct, ValidationError, field
from msgspec.json import Decoder, encode
from msgspec.structs import replace

from tollway.client.errors import ClientError

_ID: Final = re.compile(r"ses_[0-9a-f]{32}")
_TITLE_CHARACTERS_MAX: Final = 60


class Session(Struct, frozen=True):
    """`messages` are those of the chat API. `folder`: where it was held, absolute. Times are unix seconds; `model` is
    `provider/model`, the one of its last answer."""

    id: str
    folder: str
    model: str
    title: str
    created_at: int
    updated_at: int
    messages: list[dict[str, Any]] = field(default_factory=list)

    def __repr__(self) -> str:
        return f"Session({self.id!r})"

    def forked(self, session_id: str, now: int) -> "Session":
        """The same up to here, under an id of its own."""
        return replace(self, id=session_id, created_at=now, updated_at=now)

    def with_messages(self, messages: list[dict[str, Any]], model: str, now: int) -> "Session":
        """Without calls of tools that never got their result, which no gateway would take."""
        return replace(self, messages=_answered(messages), model=model, updated_at=now)


_decode: Final = Decoder(Session).decode


def session_id_of(uuid: str) -> str:
    """The id of a new session, from a random UUID."""
    return f"ses_{uuid.replace('-', '')}"


def is_session_id(text: str) -> bool:
    """Whether it can be one; only then is it part of a file's name."""
    return _ID.fullmatch(text) is not None


def title_of(text: str) -> str:
    """The first line of what was asked, cut."""
    line = next((one.strip() for one in text.splitlines() if one.strip()), "")
    return line if len(line) <= _TITLE_CHARACTERS_MAX else line[: _TITLE_CHARACTERS_MAX - 1] + "…"


def _answered(messages: list[dict[str, Any]]) -> list[dict[str, Any]]:
    last = next((place for place in range(len(messages) - 1, -1, -1) if messages[place].get("tool_calls")), None)
    if last is None:
        return messages
    results = sum(one.get("role") == "tool" for one in messages[last:])
    return messages if results >= len(messages[last]["tool_calls"]) else messages[:last]


def read_session(data: bytes, name: str) -> Session:
    """`name` is the file. Raises ClientError naming it."""
    try:
        return _decode(data)
    except (DecodeError, ValidationError, RecursionError):
        raise ClientError(f"{name}: is not a session of this program; it was left as it is") from None


def write_session(session: Session) -> bytes:
    return encode(session) + b"\n"
