"""Reads YAML, as much of the grammar as our deployment files use: block mappings and lists, flow lists of one line,
quoted and plain scalars, comments. Anything else raises ValueError."""

import json
import re
from collections.abc import Iterator
from typing import Any, NamedTuple

_KEY = re.compile(r"([A-Za-z0-9_./-]+):(?: +(.*))?$")
_QUOTED = re.compile(r'"[^"]*"')
_PLAIN = re.compile(r"[A-Za-z0-9_./][^\"'{}\[\]&*!|>%@`#]*$")


class _Line(NamedTuple):
    indent: int
    text: str
    number: int


def documents(text: str) -> list[Any]:
    """The documents of a file."""
    return [_read(list(_lines(part))) for part in re.split(r"(?m)^---\n", text)]


def _lines(text: str) -> Iterator[_Line]:
    for number, line in enumerate(text.splitlines(), 1):
        if "\t" in line or line != line.rstrip():
            raise ValueError(f"line {number}: a tab, or white space at the end")
        kept = _without_comment(line)
        if kept.strip():
            yield _Line(len(kept) - len(kept.lstrip()), kept.strip(), number)


def _without_comment(line: str) -> str:
    for found in re.finditer(r"(?:^|\s)#", line):
        if line[: found.start()].count('"') % 2 == 0:
            return line[: found.start()].rstrip()
    return line


def _read(lines: list[_Line]) -> Any:
    value, rest = _block(lines)
    if rest:
        raise ValueError(f"line {rest[0].number}: does not belong to what is before it")
    return value


def _block(lines: list[_Line]) -> tuple[Any, list[_Line]]:
    """The block that begins with the first line, and the lines behind it."""
    return _list(lines) if lines[0].text.startswith("- ") else _mapping(lines)


def _mapping(lines: list[_Line]) -> tuple[dict[str, Any], list[_Line]]:
    indent, found = lines[0].indent, {}
    while lines and lines[0].indent == indent and not lines[0].text.startswith("- "):
        head, lines = lines[0], lines[1:]
        parts = _KEY.match(head.text)
        if parts is None or parts[1] in found:
            raise ValueError(f"line {head.number}: not a key, or one that was there before")
        if parts[2]:
            found[parts[1]] = _scalar(parts[2], head.number)
        elif lines and lines[0].indent > indent:
            found[parts[1]], lines = _block(lines)
        else:
            raise ValueError(f"line {head.number}: a key without a value")
    return found, lines


def _list(lines: list[_Line]) -> tuple[list[Any], list[_Line]]:
    indent, found = lines[0].indent, []
    while lines and lines[0].indent == indent and lines[0].text.startswith("- "):
        head, lines = lines[0], lines[1:]
        text = head.text[2:].strip()
        if _KEY.match(text):
            value, lines = _mapping([_Line(indent + 2, text, head.number), *lines])
            found.append(value)
        else:
            found.append(_scalar(text, head.number))
    return found, lines


def _scalar(text: str, number: int) -> Any:
    if text == "{}":
        return {}
    if text.startswith("["):
        try:
            return json.loads(text)
        except ValueError:
            raise ValueError(f"line {number}: a list whose texts have no quotes") from None
    if _QUOTED.fullmatch(text):
        return text[1:-1]
    if not _PLAIN.match(text) or ": " in text:
        raise ValueError(f"line {number}: put it into quotes")
    if text in ("true", "false"):
        return text == "true"
    return int(text) if re.fullmatch(r"\d+", text) else text
