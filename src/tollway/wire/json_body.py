"""Decode a request body strictly: what two parsers could read differently is refused.

msgspec refuses a BOM, invalid UTF-8, lone surrogates, NaN, infinities, numbers that overflow and text after the value.
Added here: an object at the top, no duplicate top-level names, bounds on depth, values and digits. Exact but slow
tests run only where a cheap one cannot decide. Source: guarantees §12, request-path 0.5.4.
"""

import json
from typing import Any, Final, TypeAlias

import msgspec

JsonValue: TypeAlias = Any  # a decoded JSON value: dict, list, str, int, float, bool or None
JsonObject: TypeAlias = dict[str, JsonValue]

DEPTH_MAX: Final = 64
VALUES_MAX: Final = 250_000
DIGITS_MAX: Final = 32

_decode: Final = msgspec.json.Decoder().decode
_decode_members: Final = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_DIGITS: Final = bytes(ord("0") if byte in b"0123456789" else ord(" ") for byte in range(256))
_LONG_NUMBER: Final = b"0" * (DIGITS_MAX + 1)


class BodyError(ValueError):
    """The body is refused; the message is for logs and never quotes the body."""


def decode_object(body: bytes) -> JsonObject:
    """The JSON object in `body`. Raises BodyError."""
    try:
        members = _decode_members(body)
        tree: JsonObject = _decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise BodyError("not a JSON object") from error
    except RecursionError as error:
        raise BodyError("nested too deeply") from error
    values = len(tree)
    for name, value in tree.items():
        kind = value.__class__
        if kind is dict or kind is list:
            inside, has_numbers = _measure(value)
            values += inside
            if values > VALUES_MAX:
                raise BodyError("too many values")
            if has_numbers and _LONG_NUMBER in bytes(members[name]).translate(_DIGITS):
                _check_numbers(bytes(members[name]))
        elif kind is not str and len(bytes(members[name])) > DIGITS_MAX:
            _check_numbers(bytes(members[name]))
    if not _names_are_single(body, members):
        raise BodyError("a top-level name occurs twice")
    return tree


def _measure(container: JsonValue) -> tuple[int, bool]:
    """How many values are inside, and whether any is a number. Raises BodyError when nested too deeply."""
    level: list[JsonValue] = [container]
    values = 0
    depth = 1
    has_numbers = False
    while level:
        depth += 1
        if depth > DEPTH_MAX:
            raise BodyError("nested too deeply")
        below: list[JsonValue] = []
        for one in level:
            inner = one.values() if one.__class__ is dict else one
            values += len(inner)
            for value in inner:
                kind = value.__class__
                if kind is dict or kind is list:
                    below.append(value)
                elif kind is int or kind is float:
                    has_numbers = True
        level = below
    return values, has_numbers


def _check_numbers(text: bytes) -> None:
    """Look at every number's text; long runs of digits inside strings are fine. Raises BodyError."""
    json.loads(text, parse_int=_check_digits, parse_float=_check_digits)


def _check_digits(text: str) -> int:
    if sum(character.isdigit() for character in text) > DIGITS_MAX:
        raise BodyError("a number has too many digits")
    return 0


def _names_are_single(body: bytes, members: dict[str, msgspec.Raw]) -> bool:
    """Members and separators add up to the body, in either usual spacing; else count the names one by one."""
    # Each member: two quotes, a colon, and a comma (or the closing brace); then the opening brace.
    compact = sum(len(name) + 4 + len(bytes(value)) for name, value in members.items()) + 1
    if len(body) in (compact, compact + 2 * len(members) - 1):
        return True
    names = json.loads(body, object_pairs_hook=len, parse_int=len)  # inner objects turn into numbers on the way
    return bool(names == len(members))
