"""Decode a request body strictly: what two parsers could read differently is refused.

msgspec refuses a BOM, invalid UTF-8, lone surrogates, NaN, infinities and text after the value. Added here: an object
at the top, no duplicate top-level names, bounds on depth, values and digits. The number of values is bounded before any
value is built: a stranger's 20 MiB of `[],[],…` would otherwise stop the event loop for seconds. Exact but slow tests
run only where a cheap one cannot decide. Source: guarantees §12, request-path 0.5.4.
"""

import re
from math import isinf
from typing import Any, Final, TypeAlias

import msgspec

JsonValue: TypeAlias = Any  # a decoded JSON value: dict, list, str, int, float, bool or None
JsonObject: TypeAlias = dict[str, JsonValue]

DEPTH_MAX: Final = 64
VALUES_MAX: Final = 250_000
SURELY_FEW_BYTES: Final = 2 * VALUES_MAX  # each value takes at least two
DIGITS_MAX: Final = 32

_QUOTES_COUNTED_BYTES: Final = 8_192  # in a longer text, quotes in quotes are the rule
_CONTAINERS: Final = frozenset({dict, list})
_QUOTE: Final = ord('"')
_CLOSING: Final = ord("}")
_INTEGER_END: Final = 10**DIGITS_MAX
_WHITE: Final = rb"[ \t\n\r]*+"
# Commas and the openings of containers that are not empty, together one for each value below the top; and strings.
_VALUE_OR_STRING: Final = re.compile(rb',|\[(?!%b\])|\{(?!%b\})|"[^"]*+"' % (_WHITE, _WHITE))
_NAME: Final = re.compile(rb'%b"(?:[^"\\]++|\\.)*+"%b:%b' % (_WHITE, _WHITE, _WHITE))
_AFTER: Final = re.compile(rb"%b([,}])" % _WHITE)


class BodyError(ValueError):
    """The body is refused; the message is for logs and never quotes the body."""


def _read_float(text: str) -> float:
    if len(text) > DIGITS_MAX and sum(character.isdigit() for character in text) > DIGITS_MAX:
        raise BodyError("a number has too many digits")
    value = float(text)
    if isinf(value):
        raise BodyError("a number is too large")
    return value


_decode: Final = msgspec.json.Decoder(float_hook=_read_float).decode
_encode: Final = msgspec.json.Encoder().encode
_check_syntax: Final = msgspec.json.Decoder(msgspec.Raw).decode
_decode_members: Final = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode


def decode_object(body: bytes) -> JsonObject:
    """The JSON object in `body`. Raises BodyError."""
    try:
        if len(body) > SURELY_FEW_BYTES and _has_too_many_values(body):
            raise BodyError("too many values")
        tree: JsonObject = _decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise BodyError("not JSON, or it has a number out of range") from error
    except RecursionError as error:
        raise BodyError("nested too deeply") from error
    if tree.__class__ is not dict:
        raise BodyError("not a JSON object")
    if not _names_are_single(body, _check_values(tree)):
        raise BodyError("a top-level name occurs twice")
    return tree


def _has_too_many_values(body: bytes) -> bool:
    """Whether there are more than VALUES_MAX members and elements, however deep. Raises MsgspecError."""
    if body.count(b",") + body.count(b"[") + body.count(b"{") <= VALUES_MAX:
        return False  # with those inside strings there are not more
    _check_syntax(body)
    values = 0
    without_escaped_quotes = body.replace(rb"\\", b"").replace(rb"\"", b"")
    for found in _VALUE_OR_STRING.finditer(without_escaped_quotes):
        if without_escaped_quotes[found.start()] != _QUOTE:
            values += 1
            if values > VALUES_MAX:
                return True
    return False


def _check_values(tree: JsonObject) -> int:
    """Bound depth and integers; how many names and texts there are. Raises BodyError."""
    level: list[JsonValue] = [tree]
    depth = texts = 0
    while level:
        depth += 1
        if depth > DEPTH_MAX:
            raise BodyError("nested too deeply")
        below: list[JsonValue] = []
        for one in level:
            values = one
            if one.__class__ is dict:
                values = one.values()
                texts += len(one)
            for value in values:
                kind = value.__class__
                if kind is str:
                    texts += 1
                elif kind in _CONTAINERS:
                    below.append(value)
                elif kind is int and not -_INTEGER_END < value < _INTEGER_END:
                    raise BodyError("a number has too many digits")
        level = below
    return texts


def _names_are_single(body: bytes, texts: int) -> bool:
    """Whether the text has no more members than were decoded; of a name that occurs twice only one was kept.

    texts: names and texts in what was decoded, however deep. Each takes at least two quotes; where there are no more,
    all were kept.
    """
    if len(body) <= _QUOTES_COUNTED_BYTES and body.count(b'"') == 2 * texts:
        return True
    members = _decode_members(body)
    return _encode(members) == body or _has_no_more(body, members)


def _has_no_more(body: bytes, members: dict[str, msgspec.Raw]) -> bool:
    """Whether the members of the text have these values, one after the other, and there is no other."""
    at = body.index(b"{") + 1
    for value in members.values():
        text = bytes(value)
        name = _NAME.match(body, at)
        after = _AFTER.match(body, name.end() + len(text)) if name and body.startswith(text, name.end()) else None
        if after is None:
            return False
        at = after.end()
    return not members or body[at - 1] == _CLOSING
