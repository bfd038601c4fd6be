"""How the values of controls are read from their JSON texts. All raise ValueError for what they do not take."""

from collections.abc import Callable
from enum import StrEnum
from typing import Final, Literal

import msgspec

LOOKUPS_MAX: Final = 100
ID_CHARS_MAX: Final = 200

Lookup = int | Literal["reset"]


def integer_between(low: int, high: int) -> Callable[[bytes], int]:
    def read(text: bytes) -> int:
        value = msgspec.json.decode(text, type=int)
        if not low <= value <= high:
            raise ValueError(f"not between {low} and {high}")
        return value

    return read


def read_milliseconds(text: bytes) -> float:
    value = msgspec.json.decode(text, type=float)
    if not 0 <= value <= 86_400_000:
        raise ValueError("not between 0 and 86400000")
    return value


def read_text(text: bytes) -> str:
    value = msgspec.json.decode(text, type=str | int | float | bool)
    return value if isinstance(value, str) else text.decode()


def read_object(text: bytes) -> str:
    msgspec.json.decode(text, type=dict[str, msgspec.Raw])
    return text.decode()


def read_flag(text: bytes) -> bool:
    if text in (b"1", b"0"):
        return text == b"1"
    return msgspec.json.decode(text, type=bool)


def one_of(choices: type[StrEnum]) -> Callable[[bytes], StrEnum]:
    def read(text: bytes) -> StrEnum:
        word = "null" if text == b"null" else msgspec.json.decode(text, type=str)
        if word not in list(choices):
            raise ValueError(f"not one of {', '.join(choices)}")
        return choices(word)

    return read


def read_cost(text: bytes) -> str:
    msgspec.json.decode(text, type=msgspec.Raw)
    if not (text[:1] == b'"' or text[:1] in b"-0123456789" or text == b"null"):
        raise ValueError("not a number, a string or null")
    return text.decode()


def read_split(text: bytes) -> int:
    return 1 if text == b'"bytes"' else integer_between(1, 16_777_216)(text)


def read_headers(text: bytes) -> tuple[tuple[str, str], ...]:
    headers = tuple(msgspec.json.decode(text, type=dict[str, str]).items())
    for name, value in headers:
        name.encode("ascii")
        value.encode("latin-1")
        if not name or any(character in "\r\n\0: " for character in name) or any(c in "\r\n\0" for c in value):
            raise ValueError(f"not a header: {name!r}")
    return headers


def read_lookups(text: bytes) -> tuple[Lookup, ...]:
    lookups = tuple(msgspec.json.decode(text, type=list[Lookup]))
    if len(lookups) > LOOKUPS_MAX or not all(one == "reset" or 400 <= one <= 599 for one in lookups):
        raise ValueError(f"not up to {LOOKUPS_MAX} statuses from 400 to 599, or reset")
    return lookups


def read_id(text: bytes) -> str:
    value = msgspec.json.decode(text, type=str)
    if not 0 < len(value) <= ID_CHARS_MAX:
        raise ValueError(f"not a text of 1 to {ID_CHARS_MAX} characters")
    return value


def read_encoding(text: bytes) -> str:
    if text != b'"gzip"':
        raise ValueError("not gzip")
    return "gzip"


def read_replay(text: bytes) -> str:
    name = read_text(text)
    if not name or not all(character.isalnum() or character in "-_" for character in name):
        raise ValueError("letters, digits, - and _ only")
    return name
